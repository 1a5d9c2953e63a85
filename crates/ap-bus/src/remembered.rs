//! What the bus remembers of a queue under Secure Execution. (Specification, pages 2 and 6.)

use ap_types::BindState;

/// What the bus remembers of a queue's binding: not what the machine would say now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Remembered {
    /// The bind state that the bus saw last: in a scan, `se_bind`, `se_associate`, or when a reset had ended (F01d).
    pub seen: BindState,
    /// The secret with which this bus associated the queue (F04b).
    pub secret: Option<u16>,
    /// The queue is to be unbound: every RAPQ has the F bit until one was accepted (F04c).
    pub unbinding: bool,
}

impl Remembered {
    /// A queue whose bind state is seen for the first time.
    #[must_use]
    pub fn new(seen: BindState) -> Remembered {
        Remembered { seen, ..Remembered::default() }
    }

    /// A RAPQ was accepted: an unbinding that was asked for is done, and with it goes the association.
    pub(crate) fn reset_accepted(&mut self) {
        if std::mem::take(&mut self.unbinding) {
            self.secret = None;
        }
    }
}
