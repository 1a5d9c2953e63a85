//! Characters to words: quotes, backslashes, and what `$` introduces.
//!
//! How the list inside `$(…)` is read it is told by its [`Nesting`].

use super::cursor::Cursor;
use super::nesting::Nesting;
use crate::ast::{Part, Word};
use crate::error::Problem;
use crate::names::{continues_name, starts_name};
use crate::place::Place;

/// Reads a word; the cursor is at its first character.
pub(crate) fn read(cursor: &mut Cursor<'_>, nesting: Nesting) -> Result<Word, Problem> {
    let place = cursor.place();
    let mut parts = Parts::default();
    while let Some(c) = cursor.peek() {
        match c {
            ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
            '\r' if cursor.rest().starts_with("\r\n") => break,
            _ => piece(cursor, nesting, &mut parts)?,
        }
    }
    Ok(parts.into_word(place))
}

/// The parts of a word as they grow.
#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn bare(&mut self, c: char) {
        match self.0.last_mut() {
            Some(Part::Bare(text)) => text.push(c),
            _ => self.0.push(Part::Bare(c.into())),
        }
    }

    /// Appends quoted text, even none: `""` is a word.
    fn quoted(&mut self, more: &str) {
        match self.0.last_mut() {
            Some(Part::Quoted(text)) => text.push_str(more),
            _ => self.0.push(Part::Quoted(more.to_owned())),
        }
    }

    fn into_word(self, place: Place) -> Word {
        Word { parts: self.0, place }
    }
}

/// Reads what comes next outside double quotes.
fn piece(cursor: &mut Cursor<'_>, nesting: Nesting, parts: &mut Parts) -> Result<(), Problem> {
    let place = cursor.place();
    match cursor.peek() {
        Some('\'') => {
            cursor.bump();
            let text = cursor.take_while(|c| c != '\'');
            if cursor.bump().is_none() {
                return Err(Problem::incomplete(place, "this ' is never closed", "add a closing '"));
            }
            parts.quoted(text);
        }
        Some('"') => {
            cursor.bump();
            double(cursor, nesting, parts, place)?;
        }
        Some('\\') => {
            cursor.bump();
            if cursor.eat("\n") || cursor.eat("\r\n") {
                return Ok(());
            }
            match cursor.bump() {
                Some(c) => parts.quoted(c.encode_utf8(&mut [0; 4])),
                None => {
                    return Err(Problem::incomplete(
                        place,
                        "nothing follows the backslash",
                        "write `\\\\` for one",
                    ));
                }
            }
        }
        Some('$') => dollar(cursor, nesting, parts, false)?,
        Some('`') => return Err(backtick(place)),
        Some(c) => {
            cursor.bump();
            parts.bare(c);
        }
        None => {}
    }
    Ok(())
}

fn backtick(place: Place) -> Problem {
    Problem::new(place, "backticks are not supported", "write $(COMMAND)")
}

/// Reads up to the closing double quote.
fn double(cursor: &mut Cursor<'_>, nesting: Nesting, parts: &mut Parts, open: Place) -> Result<(), Problem> {
    parts.quoted("");
    loop {
        let place = cursor.place();
        match cursor.peek() {
            None => return Err(Problem::incomplete(open, "this \" is never closed", "add a closing \"")),
            Some('"') => {
                cursor.bump();
                return Ok(());
            }
            Some('\\') => {
                cursor.bump();
                if cursor.eat("\n") {
                    continue;
                }
                match cursor.peek() {
                    Some(c @ ('$' | '`' | '"' | '\\')) => {
                        cursor.bump();
                        parts.quoted(c.encode_utf8(&mut [0; 4]));
                    }
                    _ => parts.quoted("\\"),
                }
            }
            Some('$') => dollar(cursor, nesting, parts, true)?,
            Some('`') => return Err(backtick(place)),
            Some(c) => {
                cursor.bump();
                parts.quoted(c.encode_utf8(&mut [0; 4]));
            }
        }
    }
}

fn dollar(cursor: &mut Cursor<'_>, nesting: Nesting, parts: &mut Parts, quoted: bool) -> Result<(), Problem> {
    let place = cursor.place();
    cursor.bump();
    match cursor.peek() {
        Some('(') if cursor.rest().starts_with("((") => {
            return Err(Problem::new(
                place,
                "arithmetic is not supported",
                "write the number itself; a group in a substitution is `$( { …; } )`",
            ));
        }
        Some('(') => {
            cursor.bump();
            let list = nesting.list(cursor, place)?;
            parts.0.push(Part::Substitution { list, quoted });
        }
        Some('{') => {
            cursor.bump();
            braces(cursor, nesting, parts, quoted, place)?;
        }
        Some(c @ ('?' | '!')) => {
            cursor.bump();
            parts.0.push(Part::Variable { name: c.into(), default: None, quoted });
        }
        Some(c) if starts_name(c) => {
            let name = cursor.take_while(continues_name).to_owned();
            parts.0.push(Part::Variable { name, default: None, quoted });
        }
        Some(c) if c.is_ascii_digit() || "@*#$-".contains(c) => {
            let what = format!("`${c}` is not supported");
            return Err(Problem::new(place, what, "use a variable with a name, or quote the $ as '$'"));
        }
        Some('\'' | '"') if !quoted => {
            return Err(Problem::new(place, "`$'` and `$\"` are not supported", "use `printf` for escapes"));
        }
        _ if quoted => parts.quoted("$"),
        _ => parts.bare('$'),
    }
    Ok(())
}

/// Reads the rest of `${NAME}` or `${NAME:-DEFAULT}`.
fn braces(
    cursor: &mut Cursor<'_>,
    nesting: Nesting,
    parts: &mut Parts,
    quoted: bool,
    open: Place,
) -> Result<(), Problem> {
    let name = match cursor.peek() {
        Some('?') if cursor.eat("?") => "?".to_owned(),
        Some('!') if cursor.eat("!") => "!".to_owned(),
        Some(c) if starts_name(c) => cursor.take_while(continues_name).to_owned(),
        None => return Err(Problem::incomplete(open, "this ${ is never closed", "add a closing }")),
        Some(_) => {
            return Err(Problem::new(
                open,
                "`${` needs a variable's name",
                "write `${NAME}` or `${NAME:-TEXT}`",
            ));
        }
    };
    let default = if cursor.eat(":-") { Some(Box::new(default_text(cursor, nesting, open)?)) } else { None };
    if cursor.eat("}") {
        parts.0.push(Part::Variable { name, default, quoted });
        return Ok(());
    }
    if cursor.peek().is_none() {
        return Err(Problem::incomplete(open, "this ${ is never closed", "add a closing }"));
    }
    Err(Problem::new(
        cursor.place(),
        "this form of `${…}` is not supported",
        "only `${NAME}` and `${NAME:-TEXT}` are",
    ))
}

fn default_text(cursor: &mut Cursor<'_>, nesting: Nesting, open: Place) -> Result<Word, Problem> {
    nesting.check(open)?;
    let place = cursor.place();
    let mut parts = Parts::default();
    while let Some(c) = cursor.peek() {
        match c {
            '}' => break,
            '\n' => return Err(Problem::new(open, "this ${ is never closed on its line", "add a closing }")),
            _ => piece(cursor, nesting.deeper(), &mut parts)?,
        }
    }
    Ok(parts.into_word(place))
}
