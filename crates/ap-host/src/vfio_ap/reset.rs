//! Resetting queues, and seeing to it that the reset has ended. (Page 3, "Reset of a queue".)

use ap_types::{Apqn, ResponseCode};
use locks::Held;

use super::state::Mdevs;
use crate::Host;
use crate::event::Sink;
use crate::order::Mdevs as MdevsLevel;

/// Milliseconds between two looks at a reset.
const CHECK_INTERVAL: u64 = 20;
/// A burst of "Waited" lines: at most so many …
const WAITED_LINES: u32 = 10;

/// Whether a last reset that answered so lets the queue pass a filter.
#[must_use]
pub(crate) fn passable(last_reset: ResponseCode) -> bool {
    matches!(last_reset, ResponseCode::NORMAL | ResponseCode::DECONFIGURED | ResponseCode::CHECKSTOPPED)
}

fn again(last_reset: ResponseCode) -> bool {
    matches!(
        last_reset,
        ResponseCode::RESET_IN_PROGRESS | ResponseCode::BUSY | ResponseCode::STATE_CHANGE_IN_PROGRESS
    )
}

impl Mdevs {
    fn set_last_reset(&mut self, apqn: Apqn, code: ResponseCode) {
        if let Some(record) = self.queues.get_mut(&apqn.to_u16()) {
            record.last_reset = code;
            if let Some(mdev) = self.links.mdev(apqn).and_then(|id| self.list.get_mut(&id)) {
                mdev.fresh = false;
            }
            if passable(code) {
                self.failed.remove(apqn);
            } else {
                self.failed.insert(apqn);
            }
        }
    }
}

impl Host {
    /// Resets queues that are bound to vfio_ap: all ZAPQs are issued, then all are waited for.
    ///
    /// # Locks
    /// M is held, also over the wait; what the wait does takes none but the machine's.
    pub(crate) fn reset_queues(
        &self,
        queues: &[Apqn],
        mdevs: &mut Mdevs,
        held: &mut Held<'_, MdevsLevel>,
        out: &dyn Sink,
    ) {
        let mut running: Vec<Apqn> =
            queues.iter().copied().filter(|apqn| self.zapq_record(*apqn, mdevs, held, out)).collect();
        let (mut waited, mut lines) = (0, 0);
        while !running.is_empty() {
            self.clock.sleep(CHECK_INTERVAL);
            waited += CHECK_INTERVAL;
            running.retain(|apqn| {
                let goes_on = self.check_reset(*apqn, waited, &mut lines, mdevs, held, out);
                if !goes_on {
                    out.reset_ended(*apqn);
                }
                goes_on
            });
        }
    }

    /// Issues a ZAPQ; whether there is something to wait for.
    fn zapq_record(
        &self,
        apqn: Apqn,
        mdevs: &mut Mdevs,
        held: &mut Held<'_, MdevsLevel>,
        out: &dyn Sink,
    ) -> bool {
        let code = self.hw.zapq(apqn, &mut held.at(), out).response_code();
        mdevs.set_last_reset(apqn, code);
        match code {
            ResponseCode::NORMAL => true,
            code if again(code) => true,
            ResponseCode::DECONFIGURED | ResponseCode::CHECKSTOPPED | ResponseCode::Q_NOT_AVAIL => {
                self.free_irq(apqn, mdevs, held, out);
                out.reset_ended(apqn);
                false
            }
            _ => {
                out.reset_ended(apqn);
                false
            }
        }
    }

    /// Looks at a reset once; whether it goes on.
    fn check_reset(
        &self,
        apqn: Apqn,
        waited: u64,
        lines: &mut u32,
        mdevs: &mut Mdevs,
        held: &mut Held<'_, MdevsLevel>,
        out: &dyn Sink,
    ) -> bool {
        let Some(last) = mdevs.queues.get(&apqn.to_u16()).map(|record| record.last_reset) else {
            return false;
        };
        let (status, _) = self.hw.tapq(apqn, &mut held.at());
        match status.response_code() {
            ResponseCode::NORMAL | ResponseCode::DECONFIGURED | ResponseCode::CHECKSTOPPED => {
                if again(last) {
                    self.zapq_again(apqn, mdevs, held, out)
                } else {
                    self.free_irq(apqn, mdevs, held, out);
                    false
                }
            }
            code @ (ResponseCode::BUSY | ResponseCode::RESET_IN_PROGRESS) => {
                if *lines < WAITED_LINES {
                    *lines += 1;
                    out.log(
                        5,
                        format!(
                            "vfio_ap_mdev: Waited {waited}ms for reset of queue {apqn} ({}, {}, {})",
                            code.0,
                            u8::from(status.queue_empty()),
                            u8::from(status.irq_enabled())
                        ),
                    );
                }
                true
            }
            ResponseCode::ASSOC_SECRET_NOT_UNIQUE | ResponseCode::ASSOC_FAILED => {
                self.zapq_again(apqn, mdevs, held, out)
            }
            ResponseCode::Q_NOT_AVAIL => {
                self.free_irq(apqn, mdevs, held, out);
                false
            }
            _ => false,
        }
    }

    fn zapq_again(
        &self,
        apqn: Apqn,
        mdevs: &mut Mdevs,
        held: &mut Held<'_, MdevsLevel>,
        out: &dyn Sink,
    ) -> bool {
        let code = self.hw.zapq(apqn, &mut held.at(), out).response_code();
        mdevs.set_last_reset(apqn, code);
        true
    }
}
