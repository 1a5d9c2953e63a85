//! Numbers that only say which came later.

use std::sync::atomic::{AtomicU64, Ordering};

/// A dispenser of growing numbers; drawing one is no step.
///
/// Use it where two tasks that draw at the same time may come out in either order without anybody being able to
/// call it wrong (the order in which two devices were bound). Oracles and fingerprints leave tickets out.
pub struct Ticket(AtomicU64);

impl Ticket {
    /// A dispenser whose first ticket is `next`.
    #[must_use]
    pub const fn new(next: u64) -> Self {
        Ticket(AtomicU64::new(next))
    }

    /// Draws the next number.
    pub fn draw(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    /// The next number that would be drawn.
    pub fn peek(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets the next number: for whoever restores a snapshot.
    pub fn set(&self, next: u64) {
        self.0.store(next, Ordering::Relaxed);
    }
}
