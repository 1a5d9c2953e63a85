//! Secure Execution: binding queues and associating secrets. (Specification, page 2.)

use std::sync::Arc;

use ap_task::Task;
use ap_task::order::Queue;
use ap_types::{BindState, HardwareInfo, Mode, ResponseCode, Status};
use locks::{Held, Nothing};

use crate::bus::Bus;
use crate::device::{DevState, QueueDevice, QueueState, Sm, Use};
use crate::queue::Stepping;

/// Why a queue was not bound, unbound or associated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecureError {
    /// An instruction did not answer as it must (`EIO`).
    #[error("the queue did not answer as it must")]
    Failed,
    /// The bind state, the mode or the number is not one for it (`EINVAL`).
    #[error("not possible in this bind state")]
    State,
    /// A reset runs (`EBUSY`).
    #[error("the queue is being reset")]
    Busy,
    /// The queue is lent to somebody whom a reset would disturb (`EBUSY`).
    #[error("the queue is lent by its driver")]
    Lent,
    /// The device is gone (`ENODEV`).
    #[error("no such device")]
    Gone,
}

/// What `se_associate` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Association {
    /// Accelerators have none.
    None,
    /// With the secret of that number.
    With(u16),
    /// It is being made.
    Pending,
    /// With no secret.
    Unassociated,
}

impl Bus {
    /// TAPQ of a queue, `EIO` above BUSY.
    ///
    /// # Errors
    /// [`SecureError::Failed`].
    ///
    /// # Locks
    /// The machine's.
    pub fn test_queue(
        &self,
        queue: &QueueDevice,
        held: &mut Held<'_, Queue>,
    ) -> Result<(Status, HardwareInfo), SecureError> {
        let (status, info) = self.hw.tapq(queue.apqn, held);
        if status.response_code().0 > ResponseCode::BUSY.0 {
            return Err(SecureError::Failed);
        }
        Ok((status, info))
    }

    /// Whether a queue is bound, as the machine says now; the bus remembers it.
    ///
    /// # Errors
    /// [`SecureError::Failed`].
    ///
    /// # Locks
    /// A.
    pub fn is_bound(
        &self,
        queue: &Arc<QueueDevice>,
        held: &mut Held<'_, Nothing>,
    ) -> Result<bool, SecureError> {
        let (mut state, mut held) = queue.state.lock(held);
        let (_, info) = self.test_queue(queue, &mut held)?;
        state.secure.seen = info.bind_state();
        Ok(state.secure.seen.is_bound())
    }

    /// Binds or unbinds a queue.
    ///
    /// # Errors
    /// [`SecureError`].
    ///
    /// # Locks
    /// D of the queue, what its driver takes, A.
    pub fn se_bind(
        &self,
        queue: &Arc<QueueDevice>,
        on: bool,
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), SecureError> {
        let done = self.with_steady(queue, task, |state, now, task| {
            if on {
                return self.bind_secure(queue, state, task);
            }
            if now == Use::Lent {
                return Err(SecureError::Lent);
            }
            // Whatever RAPQ answers: as with every reset that the bus starts, that shows in the queue's state.
            state.state = DevState::Operating;
            state.sm = Sm::ResetStart;
            state.secure.unbinding = true;
            Stepping { hw: &*self.hw, queue, state, now }.reset_start(task);
            Ok(())
        });
        done.unwrap_or(Err(SecureError::Gone))
    }

    fn bind_secure(
        &self,
        queue: &QueueDevice,
        state: &mut QueueState,
        task: &mut Task<'_, Queue>,
    ) -> Result<(), SecureError> {
        self.ready(queue, state, BindState::Unbound, task)?;
        if self.hw.bapq(queue.apqn, task).response_code() != ResponseCode::NORMAL {
            return Err(SecureError::Failed);
        }
        state.secure.seen = self.hw.tapq(queue.apqn, task).1.bind_state();
        if state.secure.seen.is_bound() { Ok(()) } else { Err(SecureError::Failed) }
    }

    /// TAPQ NORMAL, the bind state that an operation needs, and no reset running.
    fn ready(
        &self,
        queue: &QueueDevice,
        state: &mut QueueState,
        wanted: BindState,
        held: &mut Held<'_, Queue>,
    ) -> Result<(), SecureError> {
        let (status, info) = self.hw.tapq(queue.apqn, held);
        if status.response_code() != ResponseCode::NORMAL {
            return Err(SecureError::Failed);
        }
        state.secure.seen = info.bind_state();
        if state.secure.seen != wanted {
            return Err(SecureError::State);
        }
        if state.sm != Sm::Idle && state.state != DevState::Error {
            return Err(SecureError::Busy);
        }
        Ok(())
    }

    /// Associates a queue with a secret, 0 to 65535 (page 6, F04a).
    ///
    /// # Errors
    /// [`SecureError`].
    ///
    /// # Locks
    /// A.
    pub fn se_associate(
        &self,
        queue: &Arc<QueueDevice>,
        secret: u64,
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), SecureError> {
        let secret = u16::try_from(secret).map_err(|_| SecureError::State)?;
        if queue.card.mode == Mode::Accelerator {
            return Err(SecureError::State);
        }
        let (mut state, mut task) = task.lock(&queue.state);
        self.ready(queue, &mut state, BindState::UsableNoSecureKey, &mut task)?;
        match self.hw.aapq(queue.apqn, secret, &mut task).response_code() {
            ResponseCode::NORMAL | ResponseCode::STATE_CHANGE_IN_PROGRESS => {
                state.secure.secret = Some(secret);
                Ok(())
            }
            _ => Err(SecureError::Failed),
        }
    }

    /// What a queue is associated with, by the machine's bind state and what this bus has made (page 6, F04b).
    ///
    /// # Errors
    /// [`SecureError::Failed`]; also if it has an association that this bus has not made.
    ///
    /// # Locks
    /// A.
    pub fn association(
        &self,
        queue: &Arc<QueueDevice>,
        held: &mut Held<'_, Nothing>,
    ) -> Result<Association, SecureError> {
        if queue.card.mode == Mode::Accelerator {
            return Ok(Association::None);
        }
        let (mut state, mut held) = queue.state.lock(held);
        let (_, info) = self.test_queue(queue, &mut held)?;
        state.secure.seen = info.bind_state();
        match (state.secure.seen, state.secure.secret) {
            (BindState::Usable, Some(secret)) => Ok(Association::With(secret)),
            (BindState::Usable, None) => Err(SecureError::Failed),
            (BindState::UsableNoSecureKey, Some(_)) => Ok(Association::Pending),
            _ => Ok(Association::Unassociated),
        }
    }
}
