//! Time that passes from outside.

use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::hook::{self, Key, Kind, Object, Step};

/// A clock in milliseconds that only its owner, or a lone task that sleeps, moves.
pub struct Clock {
    now: AtomicU64,
}

impl Clock {
    /// A clock at `now` milliseconds.
    #[must_use]
    pub const fn new(now: u64) -> Self {
        Clock { now: AtomicU64::new(now) }
    }

    /// The time, in milliseconds.
    pub fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// Moves the clock to `now`; never backwards.
    pub fn advance_to(&self, now: u64) {
        self.now.fetch_max(now, Ordering::Relaxed);
    }

    /// Sets the clock, also backwards: for whoever restores a snapshot.
    pub fn set(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
    }

    /// Lets `milliseconds` pass. A lone task's sleep is what makes time pass; a driver decides for several.
    #[track_caller]
    pub fn sleep(&self, milliseconds: u64) {
        let until = self.now().saturating_add(milliseconds);
        let object = Object { level: "clock", rank: u16::MAX, key: Key::default() };
        let step = Step { kind: Kind::Sleep(until), object, at: Location::caller() };
        if hook::with(|hook| hook.step(step)).is_none() {
            self.advance_to(until);
        }
    }
}
