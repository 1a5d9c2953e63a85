//! Where something stands in a script's text.

/// A place in a script's text, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Place {
    /// Where every text begins.
    pub(crate) const START: Place = Place { line: 1, column: 1 };
}
