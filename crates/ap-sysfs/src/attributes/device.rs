//! The attribute `dev` of character devices: their numbers.

use crate::attribute::{Attribute, line, ro};
use crate::front::DeviceNumber;
use crate::object::Plain;
use crate::objects::mdev::MdevView;

/// `/sys/devices/virtual/misc/z90crypt`.
pub(crate) const Z90CRYPT: &[Attribute<Plain>] = &[ro("dev", |_, _, _| line(DeviceNumber::Z90CRYPT))];

/// `/sys/devices/virtual/misc/vfio`.
pub(crate) const VFIO_CONTAINER: &[Attribute<Plain>] =
    &[ro("dev", |_, _, _| line(DeviceNumber::VFIO_CONTAINER))];

/// `/sys/devices/virtual/vfio/N`.
pub(crate) const VFIO_GROUP: &[Attribute<MdevView>] =
    &[ro("dev", |_, mdev, _| line(DeviceNumber::vfio_group(mdev.groups.vfio_group)))];
