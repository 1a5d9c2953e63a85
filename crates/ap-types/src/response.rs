//! Response codes and the status word of AP instructions (page 1, "Status word").

use core::fmt;

/// The response code of an AP instruction, 8 bits.
///
/// Shown as two lower-case hex digits. Codes without a name are possible: they are what the machine
/// answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResponseCode(pub u8);

macro_rules! response_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl ResponseCode {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// Returns the name of the code on page 1, if it has one there.
            ///
            /// Code 10 is named `Q_FULL`, what NQAP means by it; DQAP means
            /// [`NO_PENDING_REPLY`](Self::NO_PENDING_REPLY).
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

response_codes! {
    /// The function was performed.
    NORMAL = 0x00;
    /// The queue's adapter or domain is not in the host configuration.
    Q_NOT_AVAIL = 0x01;
    /// A reset has not ended yet.
    RESET_IN_PROGRESS = 0x02;
    /// The adapter is deconfigured (card `config` 0).
    DECONFIGURED = 0x03;
    /// The adapter is broken.
    CHECKSTOPPED = 0x04;
    /// The queue is busy.
    BUSY = 0x05;
    /// The address of the notification byte is not valid (AQIC).
    INVALID_ADDRESS = 0x06;
    /// Interrupts are already as asked for (AQIC).
    OTHERWISE_CHANGED = 0x07;
    /// The guest's interruption subclass is not valid (AQIC).
    INVALID_GISA = 0x08;
    /// The queue is bound to another Secure Execution guest.
    Q_BOUND_TO_ANOTHER = 0x09;
    /// A change of the queue's state has not ended yet.
    STATE_CHANGE_IN_PROGRESS = 0x0a;
    /// The queue is not bound to this Secure Execution guest.
    Q_NOT_BOUND = 0x0b;
    /// The queue takes no more messages (NQAP).
    Q_FULL = 0x10;
    /// The index is too big.
    INDEX_TOO_BIG = 0x11;
    /// The first part of the message is missing.
    NO_FIRST_PART = 0x13;
    /// The message is too big.
    MESSAGE_TOO_BIG = 0x15;
    /// A facility that the request needs is not installed.
    REQ_FAC_NOT_INST = 0x16;
    /// The association's secret is not unique.
    ASSOC_SECRET_NOT_UNIQUE = 0x35;
    /// The association failed.
    ASSOC_FAILED = 0x36;
    /// The domain that the message names is not valid.
    INVALID_DOMAIN = 0x42;
}

impl ResponseCode {
    /// There is no reply (DQAP): the same code as [`Q_FULL`](Self::Q_FULL).
    pub const NO_PENDING_REPLY: Self = Self(0x10);

    /// Says whether a TAPQ that answers so comes with valid hardware info (page 1, "Does a queue
    /// exist?").
    pub const fn has_valid_info(self) -> bool {
        matches!(
            self,
            Self::NORMAL | Self::RESET_IN_PROGRESS | Self::DECONFIGURED | Self::CHECKSTOPPED | Self::BUSY
        )
    }
}

impl From<u8> for ResponseCode {
    fn from(code: u8) -> Self {
        Self(code)
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

/// The status word of an AP instruction: 32 bits, bit 0 the most significant one (page 1).
///
/// Shown as eight lower-case hex digits.
///
/// # Examples
/// ```
/// use ap_types::{ResponseCode, Status};
///
/// let status = Status::new(ResponseCode::OTHERWISE_CHANGED).with_queue_empty(true);
/// assert_eq!(status.to_string(), "80070000");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Status(u32);

macro_rules! status_bits {
    ($($bit:ident $get:ident $with:ident $mask:literal $doc:literal;)*) => {
        impl Status {
            $(
                const $bit: u32 = $mask;

                #[doc = concat!("Says whether ", $doc, ".")]
                pub const fn $get(self) -> bool {
                    self.0 & Self::$bit != 0
                }

                #[doc = concat!("Returns the word that says whether ", $doc, ".")]
                #[must_use]
                pub const fn $with(self, on: bool) -> Self {
                    Self(if on { self.0 | Self::$bit } else { self.0 & !Self::$bit })
                }
            )*
        }
    };
}

status_bits! {
    QUEUE_EMPTY queue_empty with_queue_empty 0x8000_0000 "no message is in the queue (bit 0)";
    REPLIES_WAITING replies_waiting with_replies_waiting 0x4000_0000 "replies are waiting (bit 1)";
    QUEUE_FULL queue_full with_queue_full 0x2000_0000 "the queue takes no more messages (bit 2)";
    ASYNC is_async with_async 0x0200_0000 "the answer is asynchronous (bit 6)";
    IRQ_ENABLED irq_enabled with_irq_enabled 0x0100_0000 "the queue's interrupts are on (bit 7)";
}

impl Status {
    /// Makes the word that has a response code and no other bits.
    pub const fn new(code: ResponseCode) -> Self {
        Self((code.0 as u32) << 16)
    }

    /// Makes the status of a word, all bits as they are.
    pub const fn from_u32(word: u32) -> Self {
        Self(word)
    }

    /// Returns the word.
    pub const fn to_u32(self) -> u32 {
        self.0
    }

    /// Returns the response code (bits 8-15).
    pub const fn response_code(self) -> ResponseCode {
        ResponseCode((self.0 >> 16) as u8)
    }

    /// Returns the word with another response code.
    #[must_use]
    pub const fn with_response_code(self, code: ResponseCode) -> Self {
        Self(self.0 & 0xff00_ffff | (code.0 as u32) << 16)
    }

    /// Says whether the queue that TAPQ answered for exists (page 1): the info is valid, or the async
    /// bit is set.
    pub const fn queue_exists(self) -> bool {
        self.response_code().has_valid_info() || self.is_async()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

#[cfg(test)]
mod tests;
