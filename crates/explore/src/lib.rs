//! Explores every interleaving of tasks that use the typed locks of the crate `locks`.

mod cross;
mod engine;
mod explorer;
mod options;
mod program;
mod report;
mod scene;
mod schedule;

pub use cross::CrossCheck;
pub use engine::model::MAX_TASKS;
pub use engine::replay::ReplayError;
pub use explorer::Explorer;
pub use options::{Options, Strategy};
pub use program::{Finding, Outcome, Program, Task};
pub use report::{
    DeadlockReport, LockOrder, OrderEdge, OutcomeReport, Progress, Replay, Report, TraceStep, Violation,
    Waiting,
};
pub use scene::Scene;
pub use schedule::{Schedule, ScheduleError};
