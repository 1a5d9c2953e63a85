//! The command `apmatrix`.

fn main() {}
