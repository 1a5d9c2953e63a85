//! What is shown of a host: cells with letters and marks, reasons, the next writes and what they would answer.
//!
//! No input, no output, no drawing: a host is read through [`ap_apply::tree::Tree`], everything else is functions of
//! what was read. The terminal and the page are two renderings of it; neither has rules of its own. The rules of
//! writes are `ap-plan`'s.
//!
//! | module | is for | does not know |
//! | --- | --- | --- |
//! | `host` | a host as far as it is shown | how it was read |
//! | `read` | reading a host, and again what was touched | what is shown of it |
//! | `cell` | a queue's owner, letter and marks | why |
//! | `selection` | what can be selected, naming it, finding it | what is said of it |
//! | `operation` | what one can do, as a line of text | who carries it out |
//! | `touched` | what an event or an operation is about | trees |
//! | `action` | the next writes to what is selected, and their answers | texts about the rest |
//! | `detail` | everything that is said of what is selected | drawing |
//! | `shown` | one moment of a host that lives, and the trait of such a host | threads, servers |

#![forbid(unsafe_code)]

pub mod action;
pub mod cell;
pub mod detail;
pub mod host;
pub mod operation;
pub mod read;
pub mod selection;
pub mod shown;
pub mod touched;

pub use ap_plan::Store;

pub use action::{Action, Reply, Verdict};
pub use cell::{Cell, Mark, Whose};
pub use detail::Detail;
pub use host::{CardFacts, Host, Marks};
pub use operation::{Operation, question};
pub use selection::Selection;
pub use shown::{Answer, Happened, Live, Shown};
pub use touched::Touched;
