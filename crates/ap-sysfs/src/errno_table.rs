//! The one table from what operations say to error numbers.

use ap_bus::bind::BindError;
use ap_bus::masks::MaskWriteError;
use ap_bus::queue::ResetError;
use ap_bus::secure::SecureError;
use ap_bus::zcdn::NodeError;
use ap_bus::zcrypt::OnlineError;
use ap_bus::{AskError, DomainError, OverrideError, ParameterError};
use ap_host::module::ModuleError;
use ap_types::{ConfigError, NumberError, UuidError};
use ap_vfio::{AssignError, CloseError, CreateError, OpenError, RequestError, ResetFailed, UnbindMdevError};

use crate::errno::Errno;

impl From<MaskWriteError> for Errno {
    fn from(error: MaskWriteError) -> Errno {
        match error {
            MaskWriteError::Syntax(_) | MaskWriteError::Overridden => Errno::EINVAL,
            MaskWriteError::InUse { .. } => Errno::EBUSY,
        }
    }
}

impl From<OverrideError> for Errno {
    fn from(error: OverrideError) -> Errno {
        match error {
            OverrideError::MasksInUse | OverrideError::TooLong => Errno::EINVAL,
            OverrideError::Gone => Errno::ENODEV,
        }
    }
}

impl From<NodeError> for Errno {
    fn from(error: NodeError) -> Errno {
        match error {
            NodeError::Exists | NodeError::Clash(_) => Errno::EEXIST,
            NodeError::Name | NodeError::Syntax(_) => Errno::EINVAL,
            NodeError::Full => Errno::ENOSPC,
            NodeError::None => Errno::ENOENT,
            NodeError::Gone => Errno::ENODEV,
        }
    }
}

impl From<AssignError> for Errno {
    fn from(error: AssignError) -> Errno {
        match error {
            AssignError::TooHigh | AssignError::Gone => Errno::ENODEV,
            AssignError::Reserved => Errno::EADDRNOTAVAIL,
            AssignError::Shared => Errno::EADDRINUSE,
        }
    }
}

impl From<BindError> for Errno {
    fn from(error: BindError) -> Errno {
        match error {
            BindError::NoDevice | BindError::Refused => Errno::ENODEV,
            BindError::Bound => Errno::EBUSY,
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
            ModuleError::Parameter(ParameterError::Invalid) => Errno::EINVAL,
            ModuleError::Parameter(ParameterError::Range) => Errno::ERANGE,
        }
    }
}

impl From<CreateError> for Errno {
    fn from(error: CreateError) -> Errno {
        match error {
            CreateError::Exists => Errno::EEXIST,
            CreateError::NoInstances => Errno::EUSERS,
            CreateError::Leaving => Errno::ENODEV,
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
        }
    }
}

impl From<ResetFailed> for Errno {
    fn from(error: ResetFailed) -> Errno {
        match error {
            ResetFailed::NotOpen => Errno::ENOENT,
            ResetFailed::Failed => Errno::EIO,
        }
    }
}

impl From<OnlineError> for Errno {
    fn from(error: OnlineError) -> Errno {
        match error {
            OnlineError::NotUsable => Errno::ENODEV,
            OnlineError::Invalid => Errno::EINVAL,
        }
    }
}

impl From<SecureError> for Errno {
    fn from(error: SecureError) -> Errno {
        match error {
            SecureError::Failed => Errno::EIO,
            SecureError::State => Errno::EINVAL,
            SecureError::Busy | SecureError::Lent => Errno::EBUSY,
            SecureError::Gone => Errno::ENODEV,
        }
    }
}

impl From<AskError> for Errno {
    fn from(_: AskError) -> Errno {
        Errno::ENODEV
    }
}

impl From<ResetError> for Errno {
    fn from(error: ResetError) -> Errno {
        match error {
            ResetError::Lent => Errno::EBUSY,
            ResetError::Gone => Errno::ENODEV,
        }
    }
}

impl From<NumberError> for Errno {
    fn from(error: NumberError) -> Errno {
        match error {
            NumberError::Range => Errno::ERANGE,
            NumberError::Invalid => Errno::EINVAL,
        }
    }
}

impl From<CloseError> for Errno {
    fn from(_: CloseError) -> Errno {
        Errno::ENOENT
    }
}

impl From<RequestError> for Errno {
    fn from(error: RequestError) -> Errno {
        match error {
            RequestError::NotOpen => Errno::ENOENT,
            RequestError::NoSuchIrq | RequestError::NotAnEventfd | RequestError::NoRegion => Errno::EINVAL,
            RequestError::NotSupported => Errno::EOPNOTSUPP,
        }
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

impl From<DomainError> for Errno {
    fn from(_: DomainError) -> Errno {
        Errno::EINVAL
    }
}
