//! Characters to tokens: words, and the operators between them.
//!
//! It knows no grammar: which token may follow which is the parser's business.

use super::cursor::Cursor;
use super::nesting::Nesting;
use super::word;
use crate::ast::Word;
use crate::error::Problem;
use crate::outcome::Stream;
use crate::place::Place;

/// A token and where it is.
#[derive(Debug)]
pub(crate) struct Token {
    pub kind: TokenKind,
    pub place: Place,
    pub start: usize,
    pub end: usize,
}

/// What a token is.
#[derive(Debug)]
pub(crate) enum TokenKind {
    Word(Word),
    /// A newline.
    Line,
    Semicolon,
    Background,
    And,
    Or,
    Close,
    /// `>`, `>>`, `2>`, …: a path follows.
    Into(Stream),
    /// `2>&1`, `>&2`.
    Same(Stream, Stream),
    End,
}

impl TokenKind {
    /// How a message calls it.
    pub fn name(&self) -> String {
        match self {
            TokenKind::Word(word) => match word.constant() {
                Some(text) if text.chars().count() <= 40 => format!("`{text}`"),
                _ => "a word".to_owned(),
            },
            TokenKind::Line => "the end of the line".to_owned(),
            TokenKind::Semicolon => "`;`".to_owned(),
            TokenKind::Background => "`&`".to_owned(),
            TokenKind::And => "`&&`".to_owned(),
            TokenKind::Or => "`||`".to_owned(),
            TokenKind::Close => "`)`".to_owned(),
            TokenKind::Into(_) | TokenKind::Same(..) => "`>`".to_owned(),
            TokenKind::End => "the end of the text".to_owned(),
        }
    }
}

/// Reads the next token; `nesting` is what is around it.
pub(crate) fn next(cursor: &mut Cursor<'_>, nesting: Nesting) -> Result<Token, Problem> {
    cursor.skip_blanks_and_comments();
    let (place, start) = (cursor.place(), cursor.offset());
    let kind = match cursor.peek() {
        None => TokenKind::End,
        Some('\n') => {
            cursor.bump();
            TokenKind::Line
        }
        Some('\r') if cursor.eat("\r\n") => TokenKind::Line,
        Some(';' | '&' | '|' | '<' | '>' | '(' | ')') => operator(cursor)?,
        Some(_) => match descriptor(cursor)? {
            Some(kind) => kind,
            None => TokenKind::Word(word::read(cursor, nesting)?),
        },
    };
    Ok(Token { kind, place, start, end: cursor.offset() })
}

fn operator(cursor: &mut Cursor<'_>) -> Result<TokenKind, Problem> {
    let place = cursor.place();
    if cursor.eat("&&") {
        return Ok(TokenKind::And);
    }
    if cursor.eat("||") {
        return Ok(TokenKind::Or);
    }
    if cursor.rest().starts_with("&>") {
        return Err(Problem::new(place, "`&>` is not supported", "write `> PATH 2>&1`"));
    }
    if cursor.rest().starts_with(";;") {
        return Err(Problem::new(place, "`;;` is not supported", "use `if` instead of `case`"));
    }
    match cursor.peek() {
        Some(';') => {
            cursor.bump();
            Ok(TokenKind::Semicolon)
        }
        Some('&') => {
            cursor.bump();
            Ok(TokenKind::Background)
        }
        Some(')') => {
            cursor.bump();
            Ok(TokenKind::Close)
        }
        Some('>') => into(cursor, Stream::Out),
        Some('|') => Err(Problem::new(
            place,
            "pipes are not supported",
            "use $(COMMAND), or run programs under `apmatrix run`",
        )),
        Some('<') if cursor.rest().starts_with("<<") => {
            Err(Problem::new(place, "here-documents are not supported", "use `printf` with \\n"))
        }
        Some('<') => {
            Err(Problem::new(place, "`<` is not supported", "no command reads input: use $(cat PATH)"))
        }
        _ => Err(Problem::new(
            place,
            "`(` is not supported here",
            "group commands with `{ …; }`, or quote the parenthesis",
        )),
    }
}

/// A redirection with a number before it.
fn descriptor(cursor: &mut Cursor<'_>) -> Result<Option<TokenKind>, Problem> {
    let rest = cursor.rest();
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits == 0 || !rest[digits..].starts_with(['>', '<']) {
        return Ok(None);
    }
    let stream = match &rest[..digits] {
        "1" => Stream::Out,
        "2" => Stream::Err,
        other => {
            let what = format!("there is no descriptor {}", other.chars().take(20).collect::<String>());
            return Err(Problem::new(cursor.place(), what, "1 is the output, 2 the messages"));
        }
    };
    cursor.bump();
    if cursor.peek() == Some('<') {
        return operator(cursor).map(Some);
    }
    into(cursor, stream).map(Some)
}

/// `>`, `>>`, `>|` or `>&N`.
fn into(cursor: &mut Cursor<'_>, stream: Stream) -> Result<TokenKind, Problem> {
    let place = cursor.place();
    cursor.bump();
    if cursor.eat("&1") {
        return Ok(TokenKind::Same(stream, Stream::Out));
    }
    if cursor.eat("&2") {
        return Ok(TokenKind::Same(stream, Stream::Err));
    }
    if cursor.peek() == Some('&') {
        return Err(Problem::new(place, "`>&` needs 1 or 2", "write `>&2`, or `> PATH 2>&1`"));
    }
    // All three mean the same here: a store has no end to append to.
    let _ = cursor.eat(">") || cursor.eat("|");
    Ok(TokenKind::Into(stream))
}
