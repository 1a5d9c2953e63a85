//! What people's scripts and tools met around the driver, a test for each row of the second look, named after it: as
//! root and as an ordinary user.
//!
//! Nothing is installed, and nothing of this host changes. A line on standard error says what was left out, and why.

#[path = "rows/how_to.rs"]
mod how_to;
#[path = "rows/modules.rs"]
mod modules;
#[path = "rows/nodes.rs"]
mod nodes;
#[path = "rows/refusals.rs"]
mod refusals;
#[path = "rows/shell.rs"]
mod shell;
mod skip;
#[path = "rows/starting.rs"]
mod starting;
#[path = "tools/support.rs"]
mod support;
#[path = "rows/system.rs"]
mod system;
#[path = "rows/udevd.rs"]
mod udevd;
