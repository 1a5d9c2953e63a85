//! What can't be shared between threads can't be shared in a tracked object either.

#![forbid(unsafe_code)]

use std::cell::Cell;

use locks::{Ghost, Tracked};

#[derive(Default)]
struct Count(Cell<u32>);

impl std::hash::Hash for Count {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.get().hash(state);
    }
}

fn shared(_: &impl Sync) {}

fn main() {
    shared(&Ghost::new("fine", 0, Count::default()));
    shared(&Tracked::new("wrong", 0, Count::default()));
}
