//! A hook is called by its own thread only.

#![forbid(unsafe_code)]

use locks::hook;

fn main() {
    hook::with(|hook| {
        std::thread::scope(|scope| {
            scope.spawn(|| hook.exploring());
        });
    });
}
