//! The one table from what operations say to error numbers.

use ap_host::driver::BindError;
use ap_host::module::ModuleError;
use ap_host::perms::MaskWriteError;
use ap_host::queue::ResetError;
use ap_host::secure::SecureError;
use ap_host::vfio_ap::{
    AssignError, CloseError, CreateError, OpenError, RequestError, ResetFailed, UnbindMdevError,
};
use ap_host::zcdn::NodeError;
use ap_host::zcrypt::OnlineError;
use ap_types::{ConfigError, NumberError, UuidError};

use crate::errno::Errno;

impl From<MaskWriteError> for Errno {
    fn from(error: MaskWriteError) -> Errno {
        match error {
            MaskWriteError::Syntax(_) => Errno::EINVAL,
            MaskWriteError::InUse => Errno::EBUSY,
            _ => Errno::EIO,
        }
    }
}

impl From<NodeError> for Errno {
    fn from(error: NodeError) -> Errno {
        match error {
            NodeError::Exists => Errno::EEXIST,
            NodeError::Name | NodeError::Syntax(_) => Errno::EINVAL,
            NodeError::Full => Errno::ENOSPC,
            NodeError::None => Errno::ENODEV,
            _ => Errno::EIO,
        }
    }
}

impl From<AssignError> for Errno {
    fn from(error: AssignError) -> Errno {
        match error {
            AssignError::TooHigh | AssignError::Gone => Errno::ENODEV,
            AssignError::Reserved => Errno::EADDRNOTAVAIL,
            AssignError::Shared => Errno::EADDRINUSE,
            _ => Errno::EIO,
        }
    }
}

impl From<BindError> for Errno {
    fn from(error: BindError) -> Errno {
        match error {
            BindError::NoDevice | BindError::Refused => Errno::ENODEV,
            BindError::Bound => Errno::EBUSY,
            _ => Errno::EIO,
        }
    }
}

impl From<ModuleError> for Errno {
    fn from(error: ModuleError) -> Errno {
        match error {
            ModuleError::Loaded => Errno::EEXIST,
            ModuleError::NotLoaded => Errno::ENOENT,
            ModuleError::NoInstructions => Errno::ENODEV,
            ModuleError::InUse => Errno::EAGAIN,
            ModuleError::Parameter => Errno::EINVAL,
            _ => Errno::EIO,
        }
    }
}

impl From<CreateError> for Errno {
    fn from(error: CreateError) -> Errno {
        match error {
            CreateError::Exists => Errno::EEXIST,
            CreateError::NoInstances => Errno::EUSERS,
            CreateError::Leaving => Errno::ENODEV,
            _ => Errno::EIO,
        }
    }
}

impl From<OpenError> for Errno {
    fn from(error: OpenError) -> Errno {
        match error {
            OpenError::NoMdev => Errno::ENOENT,
            OpenError::Busy => Errno::EBUSY,
            OpenError::NoKvm => Errno::EINVAL,
            OpenError::HasMdev => Errno::EPERM,
            _ => Errno::EIO,
        }
    }
}

impl From<ResetFailed> for Errno {
    fn from(error: ResetFailed) -> Errno {
        match error {
            ResetFailed::NotOpen => Errno::ENOENT,
            _ => Errno::EIO,
        }
    }
}

impl From<OnlineError> for Errno {
    fn from(error: OnlineError) -> Errno {
        match error {
            OnlineError::NotUsable => Errno::ENODEV,
            _ => Errno::EINVAL,
        }
    }
}

impl From<SecureError> for Errno {
    fn from(error: SecureError) -> Errno {
        match error {
            SecureError::Failed => Errno::EIO,
            SecureError::State => Errno::EINVAL,
            SecureError::Busy | SecureError::InGuest => Errno::EBUSY,
            _ => Errno::EIO,
        }
    }
}

impl From<ResetError> for Errno {
    fn from(error: ResetError) -> Errno {
        match error {
            ResetError::InGuest => Errno::EBUSY,
            _ => Errno::ENODEV,
        }
    }
}

impl From<NumberError> for Errno {
    fn from(error: NumberError) -> Errno {
        match error {
            NumberError::Range => Errno::ERANGE,
            _ => Errno::EINVAL,
        }
    }
}

impl From<CloseError> for Errno {
    fn from(_: CloseError) -> Errno {
        Errno::ENOENT
    }
}

impl From<RequestError> for Errno {
    fn from(_: RequestError) -> Errno {
        Errno::ENOENT
    }
}

impl From<UnbindMdevError> for Errno {
    fn from(_: UnbindMdevError) -> Errno {
        Errno::ENODEV
    }
}

impl From<ConfigError> for Errno {
    fn from(_: ConfigError) -> Errno {
        Errno::EINVAL
    }
}

impl From<UuidError> for Errno {
    fn from(_: UuidError) -> Errno {
        Errno::EINVAL
    }
}
