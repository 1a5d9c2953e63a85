//! Text to a script: characters to words, words to tokens, tokens to lists of commands.
//!
//! It knows no command by name and runs nothing.

mod cursor;
mod nesting;
mod token;
mod word;

use std::sync::Arc;

use self::cursor::Cursor;
use self::nesting::Nesting;
use self::token::{Token, TokenKind};
use crate::ast::{Item, List, Node, Part, Redirect, Script, Simple, Step, Target, Tie, Word};
use crate::error::{ParseError, Problem};
use crate::names::{RESERVED, is_name};
use crate::outcome::Stream;
use crate::place::Place;

/// How long a script may be, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// Parses `text`; `name` is what messages call it.
///
/// # Errors
///
/// The first thing in `text` that is not of the language, with its place and what to write instead.
pub fn parse(text: &str, name: &str) -> Result<Script, ParseError> {
    let list = script(text).map_err(|problem| problem.named(name))?;
    Ok(Script { name: name.into(), list })
}

fn script(text: &str) -> Result<List, Problem> {
    if text.len() > MAX_TEXT {
        return Err(Problem::new(Place::START, "the script is longer than 1 MiB", "split it"));
    }
    let mut cursor = Cursor::new(text);
    let mut parser = Parser::new(&mut cursor, Nesting::outermost(substitution));
    let list = parser.list(&[])?;
    let token = parser.take()?;
    match token.kind {
        TokenKind::End => Ok(list),
        kind => Err(Problem::new(
            token.place,
            format!("{} does not belong here", kind.name()),
            "remove it, or quote it if it is text",
        )),
    }
}

/// Parses the list in `$(…)`; the cursor is behind the parenthesis and stops behind the closing one.
fn substitution(cursor: &mut Cursor<'_>, nesting: Nesting, open: Place) -> Result<List, Problem> {
    let mut parser = Parser::new(cursor, nesting);
    let list = parser.list(&[])?;
    let token = parser.take()?;
    match token.kind {
        TokenKind::Close => Ok(list),
        TokenKind::End => Err(Problem::incomplete(open, "this $( is never closed", "add a closing )")),
        kind => Err(Problem::new(
            token.place,
            format!("{} does not belong here", kind.name()),
            "close the $( with `)` first",
        )),
    }
}

struct Parser<'c, 't> {
    cursor: &'c mut Cursor<'t>,
    peeked: Option<Token>,
    /// What is around the next token.
    nesting: Nesting,
    /// Where the last token that was taken ends.
    end: usize,
}

impl<'c, 't> Parser<'c, 't> {
    fn new(cursor: &'c mut Cursor<'t>, nesting: Nesting) -> Parser<'c, 't> {
        let end = cursor.offset();
        Parser { cursor, peeked: None, nesting, end }
    }

    fn peek(&mut self) -> Result<&Token, Problem> {
        let token = match self.peeked.take() {
            Some(token) => token,
            None => token::next(self.cursor, self.nesting)?,
        };
        Ok(self.peeked.insert(token))
    }

    fn take(&mut self) -> Result<Token, Problem> {
        let token = match self.peeked.take() {
            Some(token) => token,
            None => token::next(self.cursor, self.nesting)?,
        };
        self.end = token.end;
        Ok(token)
    }

    /// The reserved word that comes next, if one does.
    fn reserved(&mut self) -> Result<Option<&'static str>, Problem> {
        match &self.peek()?.kind {
            TokenKind::Word(word) => {
                Ok(word.bare().and_then(|text| RESERVED.iter().copied().find(|&known| known == text)))
            }
            _ => Ok(None),
        }
    }

    fn expect(&mut self, wanted: &'static str, open: Place, opener: &str) -> Result<(), Problem> {
        if self.reserved()? == Some(wanted) {
            self.take()?;
            return Ok(());
        }
        let token = self.peek()?;
        let remedy = format!("`{opener}` of line {} goes on with `{wanted}`", open.line);
        let what = format!("expected `{wanted}`, found {}", token.kind.name());
        let incomplete = matches!(token.kind, TokenKind::End);
        Err(Problem { place: token.place, what, remedy, incomplete })
    }

    fn skip_lines(&mut self) -> Result<(), Problem> {
        while matches!(self.peek()?.kind, TokenKind::Line) {
            self.take()?;
        }
        Ok(())
    }

    /// Parses items up to one of the words `until`, a `)` or the end, which stay.
    fn list(&mut self, until: &[&str]) -> Result<List, Problem> {
        let mut items = Vec::new();
        loop {
            self.skip_lines()?;
            if matches!(self.peek()?.kind, TokenKind::Close | TokenKind::End) {
                return Ok(items.into());
            }
            if self.reserved()?.is_some_and(|word| until.contains(&word)) {
                return Ok(items.into());
            }
            items.push(self.item()?);
        }
    }

    /// Like [`Parser::list`], with at least one command.
    fn body(&mut self, until: &[&str], after: &str) -> Result<List, Problem> {
        let list = self.list(until)?;
        if list.is_empty() {
            let token = self.peek()?;
            let incomplete = matches!(token.kind, TokenKind::End);
            let what = format!("a command is missing after `{after}`");
            return Err(Problem {
                place: token.place,
                what,
                remedy: "`true` does nothing".to_owned(),
                incomplete,
            });
        }
        Ok(list)
    }

    fn item(&mut self) -> Result<Item, Problem> {
        let start = self.peek()?.start;
        let mut steps = vec![self.step(Tie::First)?];
        loop {
            let tie = match self.peek()?.kind {
                TokenKind::And => Tie::And,
                TokenKind::Or => Tie::Or,
                _ => break,
            };
            self.take()?;
            self.skip_lines()?;
            steps.push(self.step(tie)?);
        }
        let source = self.cursor.slice(start, self.end).into();
        let mut background = false;
        match self.peek()?.kind {
            TokenKind::Semicolon | TokenKind::Line => {
                self.take()?;
            }
            TokenKind::Background => {
                self.take()?;
                background = true;
            }
            TokenKind::Close | TokenKind::End => {}
            _ => self.unexpected_after_command()?,
        }
        if background && let Some(step) = steps.iter().find(|step| !matches!(*step.command, Node::Simple(_)))
        {
            return Err(Problem::new(
                step.place,
                "only simple commands and their && and || can run in the background",
                "put the `&` behind the commands inside",
            ));
        }
        Ok(Item { steps: steps.into(), background, source })
    }

    /// After `fi`, `done` or `}` something else than a separator follows.
    fn unexpected_after_command(&mut self) -> Result<(), Problem> {
        let token = self.peek()?;
        let (what, remedy) = match token.kind {
            TokenKind::Into(_) | TokenKind::Same(..) => (
                "a redirection belongs to a simple command".to_owned(),
                "redirect the commands inside, each is a write of its own",
            ),
            _ => {
                (format!("{} does not belong here", token.kind.name()), "end the command before it with `;`")
            }
        };
        Err(Problem::new(token.place, what, remedy))
    }

    fn step(&mut self, tie: Tie) -> Result<Step, Problem> {
        let (place, start) = (self.peek()?.place, self.peek()?.start);
        let mut negated = false;
        while self.reserved()? == Some("!") {
            self.take()?;
            negated = !negated;
        }
        let command = self.command()?;
        let source = self.cursor.slice(start, self.end).into();
        Ok(Step { tie, negated, command: Arc::new(command), place, source })
    }

    fn command(&mut self) -> Result<Node, Problem> {
        let place = self.peek()?.place;
        let Some(word) = self.reserved()? else {
            return self.simple().map(Node::Simple);
        };
        self.nesting.check(place)?;
        let outside = self.nesting;
        self.nesting = outside.deeper();
        let command = match word {
            "if" => self.conditional(place),
            "for" => self.each(place),
            "{" => self.group(place),
            "while" | "until" => Err(Problem::new(
                place,
                format!("`{word}` is not supported"),
                "loops run over words only: for X in WORDS; do …; done",
            )),
            "case" | "esac" => {
                Err(Problem::new(place, format!("`{word}` is not supported"), "use `if [ a = b ]`"))
            }
            "function" => Err(functions(place)),
            other => Err(Problem::new(
                place,
                format!("`{other}` does not belong here"),
                format!("it is a word of the language: quote it ('{other}') if it is a command"),
            )),
        };
        self.nesting = outside;
        command
    }

    fn conditional(&mut self, open: Place) -> Result<Node, Problem> {
        self.take()?;
        let mut branches = Vec::new();
        let mut word = "if";
        loop {
            let condition = self.body(&["then"], word)?;
            self.expect("then", open, "if")?;
            let body = self.body(&["elif", "else", "fi"], "then")?;
            branches.push((condition, body));
            if self.reserved()? != Some("elif") {
                break;
            }
            self.take()?;
            word = "elif";
        }
        let mut otherwise = List::default();
        if self.reserved()? == Some("else") {
            self.take()?;
            otherwise = self.body(&["fi"], "else")?;
        }
        self.expect("fi", open, "if")?;
        Ok(Node::If { branches, otherwise })
    }

    fn each(&mut self, open: Place) -> Result<Node, Problem> {
        self.take()?;
        let token = self.take()?;
        let variable = match &token.kind {
            TokenKind::Word(word) => word.bare().filter(|text| is_name(text)).map(str::to_owned),
            _ => None,
        };
        let Some(variable) = variable else {
            let incomplete = matches!(token.kind, TokenKind::End);
            let what = format!("`for` needs a variable's name, found {}", token.kind.name());
            let remedy = "write: for X in WORDS; do …; done".to_owned();
            return Err(Problem { place: token.place, what, remedy, incomplete });
        };
        self.skip_lines()?;
        self.expect("in", open, "for")?;
        let mut words = Vec::new();
        while matches!(self.peek()?.kind, TokenKind::Word(_)) {
            if let TokenKind::Word(word) = self.take()?.kind {
                words.push(word);
            }
        }
        if matches!(self.peek()?.kind, TokenKind::Semicolon) {
            self.take()?;
        } else if !matches!(self.peek()?.kind, TokenKind::Line | TokenKind::End) {
            let token = self.peek()?;
            let what = format!("{} does not belong into the words of `for`", token.kind.name());
            return Err(Problem::new(token.place, what, "write: for X in WORDS; do …; done"));
        }
        self.skip_lines()?;
        self.expect("do", open, "for")?;
        let body = self.body(&["done"], "do")?;
        self.expect("done", open, "for")?;
        Ok(Node::For { variable, words, body })
    }

    fn group(&mut self, open: Place) -> Result<Node, Problem> {
        self.take()?;
        let body = self.body(&["}"], "{")?;
        self.expect("}", open, "{")?;
        Ok(Node::Group(body))
    }

    fn simple(&mut self) -> Result<Simple, Problem> {
        let mut simple = Simple::default();
        loop {
            match self.peek()?.kind {
                TokenKind::Word(_) => {
                    if let TokenKind::Word(word) = self.take()?.kind {
                        match assignment(&word).filter(|_| simple.words.is_empty()) {
                            Some(assignment) => simple.assignments.push(assignment),
                            None => simple.words.push(word),
                        }
                    }
                }
                TokenKind::Into(stream) => {
                    self.take()?;
                    simple.redirects.push(self.redirect(stream)?);
                }
                TokenKind::Same(stream, other) => {
                    self.take()?;
                    simple.redirects.push(Redirect { stream, target: Target::Same(other) });
                }
                _ => break,
            }
        }
        if simple.words.is_empty() && simple.assignments.is_empty() && simple.redirects.is_empty() {
            let token = self.peek()?;
            let incomplete = matches!(token.kind, TokenKind::End);
            let what = format!("expected a command, found {}", token.kind.name());
            let remedy = "`true` does nothing, `help` lists the commands".to_owned();
            return Err(Problem { place: token.place, what, remedy, incomplete });
        }
        Ok(simple)
    }

    fn redirect(&mut self, stream: Stream) -> Result<Redirect, Problem> {
        let token = self.take()?;
        match token.kind {
            TokenKind::Word(word) => Ok(Redirect { stream, target: Target::Path(word) }),
            kind => Err(Problem {
                place: token.place,
                what: format!("expected a path after `>`, found {}", kind.name()),
                remedy: "write: COMMAND > PATH".to_owned(),
                incomplete: matches!(kind, TokenKind::End),
            }),
        }
    }
}

fn functions(place: Place) -> Problem {
    Problem::new(place, "functions are not supported", "use `for` and variables")
}

/// `NAME=…`, with the name and the equals sign outside quotes.
fn assignment(word: &Word) -> Option<(String, Word)> {
    let Some(Part::Bare(first)) = word.parts.first() else { return None };
    let (name, value) = first.split_once('=')?;
    if !is_name(name) {
        return None;
    }
    let mut rest = word.clone();
    if value.is_empty() {
        rest.parts.remove(0);
    } else {
        rest.parts[0] = Part::Bare(value.to_owned());
    }
    Some((name.to_owned(), rest))
}
