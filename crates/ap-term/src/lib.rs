//! A host in the terminal: the matrix, what is said of what is selected, mediated devices, events; keys and mouse.
//!
//! Everything that is shown is `ap-view`'s; here is how it is laid out and drawn. Only `screen` knows a real terminal.
//!
//! | module | is for | does not know |
//! | --- | --- | --- |
//! | `colour` | which style says what, by what the terminal can do | layout |
//! | `grid` | which cells are in sight, at which width | styles |
//! | `app` | what is selected, typed, searched; what a key or a click does | drawing |
//! | `panels` | the texts beside the matrix | where they stand |
//! | `draw` | the frame | keys |
//! | `svg` | a frame as a picture | the app |
//! | `screen` | the real terminal, and the loop | what is drawn |

#![forbid(unsafe_code)]

pub mod app;
pub mod colour;
pub mod draw;
pub mod grid;
mod panels;
pub mod screen;
pub mod svg;

pub use app::{App, Step};
pub use colour::Depth;
