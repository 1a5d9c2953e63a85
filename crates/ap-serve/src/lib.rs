//! A host as a web page: the documents, the page, and the server.
//!
//! The only crate that knows a network and an asynchronous runtime. What is shown is `ap-view`'s; here it becomes JSON,
//! and one page of plain HTML, CSS and JavaScript that is built into the program. A page can also stand in a file of
//! its own: then what it shows is inside of it, and it asks nobody.
//!
//! | module | is for | does not know |
//! | --- | --- | --- |
//! | `document` | a moment, a change, a selection as JSON, with a schema | servers |
//! | `page` | the page, alone or served | what it shows |
//! | `guard` | who may ask: Host, Origin, and what answers say of themselves | routes |
//! | `routes` | what can be asked | connections |
//! | `server` | connections, their number, the end | what is asked |

#![forbid(unsafe_code)]

pub mod document;
mod guard;
pub mod page;
mod routes;
pub mod server;

pub use server::{Options, ServeError, Server};
