//! A hook that lets everything happen at once.

use locks::Object;
use locks::hook::{Hook, Step};

/// Lets everything happen at once. The text is on the heap: who calls it when it is gone reads freed memory.
pub struct AtOnce(pub String);

impl AtOnce {
    pub fn new() -> Self {
        AtOnce("at once".to_owned())
    }
}

impl Hook for AtOnce {
    fn step(&self, _: Step) -> bool {
        assert_eq!(self.0, "at once");
        true
    }
    fn blocked(&self, step: Step) {
        panic!("{step:?}");
    }
    fn wait(&self, _: Step, _: Object) {}
    fn wants_contents(&self) -> bool {
        true
    }
    fn violation(&self, _: &'static str, _: String) {}
    fn claim_root(&self) -> bool {
        true
    }
    fn release_root(&self) {}
    fn exploring(&self) -> bool {
        true
    }
}
