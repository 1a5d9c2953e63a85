//! How deep a word stands inside others, and how the list inside `$(…)` is read.
//!
//! A word may contain a list, and a list consists of words. The parser is above words, so it hands its way to read a
//! list down to them.

use super::cursor::Cursor;
use crate::ast::List;
use crate::error::Problem;
use crate::place::Place;

/// How deep commands and substitutions may be nested.
pub(crate) const MAX_DEPTH: usize = 24;

/// Reads the list in `$(…)`: the cursor is behind the parenthesis and stops behind the closing one. The place is that
/// of the `$`.
pub(crate) type ReadList = fn(&mut Cursor<'_>, Nesting, Place) -> Result<List, Problem>;

/// What is around a token or a word.
#[derive(Clone, Copy)]
pub(crate) struct Nesting {
    depth: usize,
    read_list: ReadList,
}

impl Nesting {
    /// Nothing is around it yet.
    pub fn outermost(read_list: ReadList) -> Nesting {
        Nesting { depth: 0, read_list }
    }

    /// Refuses to begin something new here if too much is around already.
    pub fn check(self, place: Place) -> Result<(), Problem> {
        if self.depth < MAX_DEPTH {
            return Ok(());
        }
        let what = format!("nested more than {MAX_DEPTH} deep");
        Err(Problem::new(place, what, "use variables for the inner parts"))
    }

    /// One level further in.
    pub fn deeper(self) -> Nesting {
        Nesting { depth: self.depth + 1, ..self }
    }

    /// Reads the list of a `$(…)` that stands here.
    pub fn list(self, cursor: &mut Cursor<'_>, open: Place) -> Result<List, Problem> {
        self.check(open)?;
        (self.read_list)(cursor, self.deeper(), open)
    }
}
