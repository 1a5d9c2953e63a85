//! The hardware info word of a queue (page 1, "Hardware info word").

use alloc::format;
use alloc::string::String;
use core::fmt;

/// The oldest supported adapter type, CEX4 (page 1).
pub const OLDEST_TYPE: u8 = 10;

/// The newest known adapter type, CEX8; QACT maps newer ones to a known one (page 1).
pub const NEWEST_TYPE: u8 = 14;

/// Bits of the functions word, the upper half of the hardware info word (page 1).
pub mod functions {
    /// Special command facility (bit 0).
    pub const APSC: u32 = 0x8000_0000;
    /// 4096-bit RSA, modulus-exponent (bit 1).
    pub const MEX4K: u32 = 0x4000_0000;
    /// 4096-bit RSA, Chinese remainder theorem (bit 2).
    pub const CRT4K: u32 = 0x2000_0000;
    /// CCA coprocessor (bit 3).
    pub const CCA: u32 = 0x1000_0000;
    /// Accelerator (bit 4).
    pub const ACCEL: u32 = 0x0800_0000;
    /// EP11 coprocessor (bit 5).
    pub const EP11: u32 = 0x0400_0000;
    /// Extended addressing (bit 6).
    pub const APXA: u32 = 0x0200_0000;
    /// Stateless command filtering (bit 7).
    pub const SLCF: u32 = 0x0100_0000;
    /// The functional class (bits 8-15).
    pub const CLASS: u32 = 0x00ff_0000;
    /// The Secure Execution bind state (bits 16-17).
    pub const BIND_STATE: u32 = 0x0000_c000;
}

const BIND_STATE_SHIFT: u32 = 14;

/// What kind of work an adapter does (page 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Accelerator, letter `A`.
    Accelerator,
    /// CCA coprocessor, letter `C`.
    Cca,
    /// EP11 coprocessor, letter `P`.
    Ep11,
    /// No mode: the card gets its device and queues, but the host's drivers refuse them.
    #[default]
    None,
}

impl Mode {
    /// Returns the letter of the mode in type strings.
    pub const fn letter(self) -> Option<char> {
        match self {
            Self::Accelerator => Some('A'),
            Self::Cca => Some('C'),
            Self::Ep11 => Some('P'),
            Self::None => None,
        }
    }

    /// Returns the value of the uevent variable `MODE`; without a mode there is no such variable.
    pub const fn uevent_name(self) -> Option<&'static str> {
        match self {
            Self::Accelerator => Some("accel"),
            Self::Cca => Some("cca"),
            Self::Ep11 => Some("ep11"),
            Self::None => None,
        }
    }

    /// Returns the bit of the functions word that says this mode, 0 for none.
    pub const fn function_bit(self) -> u32 {
        match self {
            Self::Accelerator => functions::ACCEL,
            Self::Cca => functions::CCA,
            Self::Ep11 => functions::EP11,
            Self::None => 0,
        }
    }
}

/// The Secure Execution bind state of a queue, two bits (page 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum BindState {
    /// 0: the queue is usable.
    #[default]
    Usable = 0,
    /// 1: the queue is usable, but not with secure keys.
    UsableNoSecureKey = 1,
    /// 2: the queue is available for binding.
    Unbound = 2,
    /// 3: the queue is unusable.
    Unusable = 3,
}

impl BindState {
    /// Says whether the queue is bound (states 0 and 1), as `se_bind` shows it (page 2).
    pub const fn is_bound(self) -> bool {
        matches!(self, Self::Usable | Self::UsableNoSecureKey)
    }
}

/// The hardware info word that TAPQ gives: 64 bits, bit 0 the most significant one (page 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HardwareInfo(pub u64);

impl HardwareInfo {
    /// Makes the word of its fields.
    ///
    /// `functions` is the whole upper half, mode and bind state included; `message_units` the maximum
    /// message length in 4096-byte units (0-15, 0 the default of 12288 bytes); `queue_depth` the depth
    /// *minus one* (0-31). Only their low four and five bits are taken.
    pub const fn new(
        functions: u32,
        adapter_type: u8,
        highest_domain: u8,
        message_units: u8,
        queue_depth: u8,
    ) -> Self {
        Self(
            (functions as u64) << 32
                | (adapter_type as u64) << 24
                | (highest_domain as u64) << 16
                | ((message_units & 0xf) as u64) << 8
                | (queue_depth & 0x1f) as u64,
        )
    }

    /// Returns the functions word (bits 0-31), bind state included, as a queue's `ap_functions` shows
    /// it.
    pub const fn functions(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Returns the functions word with the bind state masked out, as a card's `ap_functions` shows it.
    pub const fn functions_without_bind_state(self) -> u32 {
        self.functions() & !functions::BIND_STATE
    }

    /// Returns the adapter type (bits 32-39) as the machine says it, 10 being CEX4.
    pub const fn adapter_type(self) -> u8 {
        (self.0 >> 24) as u8
    }

    /// Returns the highest domain (bits 40-47).
    pub const fn highest_domain(self) -> u8 {
        (self.0 >> 16) as u8
    }

    /// Returns the maximum message length in 4096-byte units (bits 52-55), 0-15; 0 means the default.
    pub const fn max_message_units(self) -> u8 {
        (self.0 >> 8) as u8 & 0xf
    }

    /// Returns the maximum message length in bytes, as `max_msg_size` shows it: 4096-61440.
    pub const fn max_message_bytes(self) -> u32 {
        match self.max_message_units() {
            0 => 12288,
            units => units as u32 * 4096,
        }
    }

    /// Returns the queue depth (bits 60-63 plus one), 1-16.
    pub const fn depth(self) -> u8 {
        (self.0 as u8 & 0xf) + 1
    }

    /// Returns the queue depth as kernels read it that know of five bits (59-63 plus one), 1-32.
    pub const fn deep_depth(self) -> u8 {
        (self.0 as u8 & 0x1f) + 1
    }

    /// Returns the functional class (bits 8-15).
    pub const fn class(self) -> u8 {
        (self.0 >> 48) as u8
    }

    /// Returns the Secure Execution bind state (bits 16-17).
    pub const fn bind_state(self) -> BindState {
        match (self.functions() & functions::BIND_STATE) >> BIND_STATE_SHIFT {
            0 => BindState::Usable,
            1 => BindState::UsableNoSecureKey,
            2 => BindState::Unbound,
            _ => BindState::Unusable,
        }
    }

    /// Returns the word with another bind state.
    #[must_use]
    pub const fn with_bind_state(self, state: BindState) -> Self {
        let bits = (state as u32) << BIND_STATE_SHIFT;
        let functions = self.functions_without_bind_state() | bits;
        Self((functions as u64) << 32 | self.0 & 0xffff_ffff)
    }

    /// Returns the mode: accelerator if that bit is set, else CCA, else EP11, else none.
    pub const fn mode(self) -> Mode {
        let word = self.functions();
        if word & functions::ACCEL != 0 {
            Mode::Accelerator
        } else if word & functions::CCA != 0 {
            Mode::Cca
        } else if word & functions::EP11 != 0 {
            Mode::Ep11
        } else {
            Mode::None
        }
    }
}

/// Shows the word as 16 lower-case hex digits.
impl fmt::Display for HardwareInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Returns the type string of a card, as its `type` shows it: `CEX`, generation, letter of the mode.
///
/// `hwtype` is the mapped type, 10-14; the generation is the type minus 6 (page 1).
///
/// # Examples
/// ```
/// use ap_types::{Mode, type_string};
///
/// assert_eq!(type_string(14, Mode::Ep11), "CEX8P");
/// ```
pub fn type_string(hwtype: u8, mode: Mode) -> String {
    let generation = hwtype.saturating_sub(6);
    match mode.letter() {
        Some(letter) => format!("CEX{generation}{letter}"),
        None => format!("CEX{generation}"),
    }
}

#[cfg(test)]
mod tests;
