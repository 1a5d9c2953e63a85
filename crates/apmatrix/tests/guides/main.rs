//! The pages are true: README.md and all of docs/. Links and anchors resolve; each shell block runs and prints exactly what
//! the page shows below it; tables of files, keys, verdicts and figures are the program's; the drawing is right in light and
//! dark. What is marked how: docs/guide/README.md. Tests are named after the rows of the first hour (h1, h2 …).

mod blocks;
mod book;
mod drawing;
mod figures;
mod links;
mod pages;
mod reference;
#[path = "../skip/mod.rs"]
mod skip;
mod words;
