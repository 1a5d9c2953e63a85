//! What of a host the thread drives.

use std::time::Duration;

use ap_apply::tree::Tree;
use ap_view::{Answer, Operation, Touched};

/// What of a host the thread drives.
pub(super) trait Backend {
    /// Its tree.
    fn tree(&mut self) -> &mut dyn Tree;

    /// How it is called, if it does not say so itself.
    fn name(&self) -> String;

    /// Where it is, for messages.
    fn place(&self) -> String;

    /// What happened since the last question: a line each, and what was touched by it. Time passes here.
    fn happened(&mut self, touched: &mut Touched) -> Vec<String>;

    /// Carries out an operation. What waits is not waited for.
    fn operate(&mut self, operation: &Operation) -> Answer;

    /// How often masks, mediated devices and guests are read again although nothing was heard; and everything.
    fn rhythm(&self) -> (Duration, Duration);
}
