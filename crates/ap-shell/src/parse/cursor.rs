//! A script's text, read one character after the other.
//!
//! It counts lines and columns and knows nothing of what the characters mean.

use crate::place::Place;

/// Where the text is read, one character after the other.
pub(crate) struct Cursor<'t> {
    text: &'t str,
    at: usize,
    place: Place,
}

impl<'t> Cursor<'t> {
    /// At the text's start.
    pub fn new(text: &'t str) -> Cursor<'t> {
        Cursor { text, at: 0, place: Place::START }
    }

    /// Where it is.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The byte offset.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The text between two byte offsets.
    pub fn slice(&self, from: usize, to: usize) -> &'t str {
        self.text.get(from..to).unwrap_or("")
    }

    /// The text that is still to be read.
    pub fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// The next character.
    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes the next character.
    pub fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.place = Place { line: self.place.line + 1, column: 1 };
        } else {
            self.place.column += 1;
        }
        Some(c)
    }

    /// Skips `text` if it comes next.
    pub fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            text.chars().for_each(|_| {
                self.bump();
            });
        }
        found
    }

    /// Takes the characters for which `wanted` holds.
    pub fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let from = self.at;
        while self.peek().is_some_and(&wanted) {
            self.bump();
        }
        self.slice(from, self.at)
    }

    /// Skips what separates words on a line, and comments.
    pub fn skip_blanks_and_comments(&mut self) {
        loop {
            if self.eat("\\\n") || self.eat("\\\r\n") {
                continue;
            }
            match self.peek() {
                Some(' ' | '\t') => {
                    self.bump();
                }
                Some('#') => {
                    self.take_while(|c| c != '\n');
                }
                _ => return,
            }
        }
    }
}
