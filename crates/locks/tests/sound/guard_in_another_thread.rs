//! A guard is released by the thread that took the lock.

#![forbid(unsafe_code)]

use locks::{Mutex, enter};

locks::hierarchy! { mod order { Only } }

fn main() {
    let lock = Mutex::<order::Only, u32>::new(0, 0);
    enter(|held| {
        let (guard, _held) = lock.lock(held);
        std::thread::scope(|scope| {
            scope.spawn(move || drop(guard));
        });
    });
}
