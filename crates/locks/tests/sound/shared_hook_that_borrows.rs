//! A hook that is shared with suspended tasks may live as long as they do, so it must not borrow.

#![forbid(unsafe_code)]

use std::rc::Rc;

use locks::Object;
use locks::hook::{self, Hook, Step};

struct Borrows<'a>(&'a String);

impl Hook for Borrows<'_> {
    fn step(&self, _: Step) -> bool {
        self.0.is_empty()
    }
    fn blocked(&self, _: Step) {}
    fn wait(&self, _: Step, _: Object) {}
    fn violation(&self, _: &'static str, _: String) {}
    fn claim_root(&self) -> bool {
        true
    }
    fn release_root(&self) {}
    fn exploring(&self) -> bool {
        true
    }
}

fn main() {
    let text = String::new();
    hook::install(Rc::new(Borrows(&text)), || ());
}
