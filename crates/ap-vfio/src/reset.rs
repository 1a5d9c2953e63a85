//! Resetting queues, and seeing to it that the reset has ended. (Page 3, "Reset of a queue".)

use ap_task::order::Mdevs as MdevsLevel;
use ap_task::{Notice, Task};
use ap_types::{Apqn, ResponseCode};

use crate::driver::VfioAp;
use crate::state::Mdevs;

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
        if let Some(record) = self.queues.get_mut(&apqn) {
            record.last_reset = code;
            if let Some(mdev) = self.links.mdev(apqn).and_then(|id| self.list.get_mut(&id)) {
                *mdev.fresh = false;
            }
            if passable(code) {
                self.failed.remove(apqn);
            } else {
                self.failed.insert(apqn);
            }
        }
    }
}

impl Mdevs {
    /// Tells an exploration that the reset of a queue has ended, and what is known of how.
    fn announce_end(&self, queue: Apqn) {
        locks::hook::announce(|| {
            let noted = self.queues.get(&queue).map(|record| record.last_reset).unwrap_or_default();
            Notice::ResetEnded { queue, noted }
        });
    }
}

impl VfioAp {
    /// Resets queues that are bound to vfio_ap: all ZAPQs are issued, then all are waited for.
    ///
    /// # Locks
    /// M is held, also over the wait; what the wait does takes none but the machine's.
    pub(crate) fn reset_queues(&self, queues: &[Apqn], mdevs: &mut Mdevs, task: &mut Task<'_, MdevsLevel>) {
        let mut running: Vec<Apqn> =
            queues.iter().copied().filter(|apqn| self.zapq_record(*apqn, mdevs, task)).collect();
        let (mut waited, mut lines) = (0, 0);
        while !running.is_empty() {
            self.hw.clock().sleep(CHECK_INTERVAL);
            waited += CHECK_INTERVAL;
            running.retain(|apqn| {
                let goes_on = self.check_reset(*apqn, waited, &mut lines, mdevs, task);
                if !goes_on {
                    mdevs.announce_end(*apqn);
                }
                goes_on
            });
        }
    }

    /// Issues a ZAPQ; whether there is something to wait for.
    fn zapq_record(&self, apqn: Apqn, mdevs: &mut Mdevs, task: &mut Task<'_, MdevsLevel>) -> bool {
        let code = self.hw.zapq(apqn, &mut task.at()).response_code();
        mdevs.set_last_reset(apqn, code);
        match code {
            ResponseCode::NORMAL => true,
            code if again(code) => true,
            ResponseCode::DECONFIGURED | ResponseCode::CHECKSTOPPED | ResponseCode::Q_NOT_AVAIL => {
                self.free_irq(apqn, mdevs, task);
                mdevs.announce_end(apqn);
                false
            }
            _ => {
                mdevs.announce_end(apqn);
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
        task: &mut Task<'_, MdevsLevel>,
    ) -> bool {
        let Some(last) = mdevs.queues.get(&apqn).map(|record| record.last_reset) else {
            return false;
        };
        let (status, _) = self.hw.tapq(apqn, &mut task.at());
        match status.response_code() {
            ResponseCode::NORMAL | ResponseCode::DECONFIGURED | ResponseCode::CHECKSTOPPED => {
                if again(last) {
                    self.zapq_again(apqn, mdevs, task)
                } else {
                    self.free_irq(apqn, mdevs, task);
                    false
                }
            }
            code @ (ResponseCode::BUSY | ResponseCode::RESET_IN_PROGRESS) => {
                if *lines < WAITED_LINES {
                    *lines += 1;
                    task.log(
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
                self.zapq_again(apqn, mdevs, task)
            }
            ResponseCode::Q_NOT_AVAIL => {
                self.free_irq(apqn, mdevs, task);
                false
            }
            _ => false,
        }
    }

    fn zapq_again(&self, apqn: Apqn, mdevs: &mut Mdevs, task: &mut Task<'_, MdevsLevel>) -> bool {
        let code = self.hw.zapq(apqn, &mut task.at()).response_code();
        mdevs.set_last_reset(apqn, code);
        true
    }
}
