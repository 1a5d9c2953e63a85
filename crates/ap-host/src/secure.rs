//! Secure Execution: binding queues and associating secrets. (Specification, page 2.)

use std::sync::Arc;

use ap_types::{BindState, HardwareInfo, Mode, ResponseCode, Status};
use locks::{Held, Nothing};

use crate::Host;
use crate::device::{DevState, QueueDevice, QueueState, Sm};
use crate::event::Sink;
use crate::order::Queue;

/// Why a queue was not bound, unbound or associated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
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
    /// The queue is in a running guest's APCB (`EBUSY`).
    #[error("the queue is in use by a running guest")]
    InGuest,
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

/// The highest number of a secret, plus one.
const SECRETS: u64 = 65_535;

impl Host {
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

    /// Binds or unbinds a queue.
    ///
    /// # Errors
    /// [`SecureError`].
    ///
    /// # Locks
    /// M, then A.
    pub fn se_bind(
        &self,
        queue: &Arc<QueueDevice>,
        on: bool,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), SecureError> {
        // Lock order: M -> A
        let (mdevs, mut held) = self.mdevs.lock(held);
        let in_guest = mdevs.in_running_guest(queue.apqn);
        let (mut state, mut held) = queue.state.lock(&mut held);
        if !on {
            if in_guest {
                return Err(SecureError::InGuest);
            }
            // Whatever RAPQ answers: as with every reset that the bus starts, that shows in the queue's state.
            state.state = DevState::Operating;
            state.sm = Sm::ResetStart;
            self.reset_start(queue.apqn, &mut state, true, &mut held, out);
            return Ok(());
        }
        self.ready(queue, &state, BindState::Unbound, &mut held)?;
        if self.hw.bapq(queue.apqn, &mut held, out).response_code() != ResponseCode::NORMAL {
            return Err(SecureError::Failed);
        }
        let (_, info) = self.hw.tapq(queue.apqn, &mut held);
        if info.bind_state().is_bound() { Ok(()) } else { Err(SecureError::Failed) }
    }

    /// TAPQ NORMAL, the bind state that an operation needs, and no reset running.
    fn ready(
        &self,
        queue: &QueueDevice,
        state: &QueueState,
        wanted: BindState,
        held: &mut Held<'_, Queue>,
    ) -> Result<(), SecureError> {
        let (status, info) = self.hw.tapq(queue.apqn, held);
        if status.response_code() != ResponseCode::NORMAL {
            return Err(SecureError::Failed);
        }
        if info.bind_state() != wanted {
            return Err(SecureError::State);
        }
        if state.sm != Sm::Idle && state.state != DevState::Error {
            return Err(SecureError::Busy);
        }
        Ok(())
    }

    /// Associates a queue with a secret.
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
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), SecureError> {
        if queue.card.mode == Mode::Accelerator || secret >= SECRETS {
            return Err(SecureError::State);
        }
        let (state, mut held) = queue.state.lock(held);
        self.ready(queue, &state, BindState::UsableNoSecureKey, &mut held)?;
        match self.hw.aapq(queue.apqn, secret as u16, &mut held, out).response_code() {
            ResponseCode::NORMAL | ResponseCode::STATE_CHANGE_IN_PROGRESS => Ok(()),
            _ => Err(SecureError::Failed),
        }
    }

    /// What a queue is associated with.
    ///
    /// # Errors
    /// [`SecureError::Failed`].
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
        let (_state, mut held) = queue.state.lock(held);
        let (_, info) = self.test_queue(queue, &mut held)?;
        Ok(match (info.bind_state(), self.hw.associated(queue.apqn, &mut held)) {
            (BindState::Usable, Some(secret)) => Association::With(secret),
            (BindState::Usable, None) => Association::With(0),
            (_, Some(_)) => Association::Pending,
            _ => Association::Unassociated,
        })
    }
}
