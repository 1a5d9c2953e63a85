//! How people write the ids of adapters, domains and queues: one rule for every command, verb and option.
//!
//! Knows texts only; whether there is such an adapter is for others to say.

use ap_types::grammar::mask_write;
use ap_types::{AdapterMask, Apqn};

/// The rule, for help.
pub const RULE: &str = "Ids: a number alone is decimal, or hex after 0x (10 and 0x0a are the same adapter). A name as \
                        in sysfs is hex and has all its digits: card0a, 0a.0047, and .0047 for a domain.";

/// Ascending ids as ranges.
#[must_use]
pub fn ranges(ids: impl IntoIterator<Item = u8>) -> Vec<(u8, u8)> {
    let mut ranges: Vec<(u8, u8)> = Vec::new();
    for id in ids {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == id => *last = id,
            _ => ranges.push((id, id)),
        }
    }
    ranges
}

/// Ascending ids as people write them: `4, 6-8`.
#[must_use]
pub fn listed(ids: impl IntoIterator<Item = u8>) -> String {
    let one = |(first, last): (u8, u8)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges(ids).into_iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A text that is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {remedy}")]
pub struct IdError {
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub remedy: String,
}

impl IdError {
    fn new(what: impl Into<String>, remedy: impl Into<String>) -> IdError {
        IdError { what: what.into(), remedy: remedy.into() }
    }
}

/// A number that not everybody reads alike: `010` is 8 to the kernel, which takes a leading zero for octal, and 10 to
/// most people. `04` is 4 to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadingZero<'a> {
    /// As it was written.
    pub text: &'a str,
    /// What it is in decimal.
    pub decimal: u64,
    /// What it is in octal; `None` if it has a digit that octal has not.
    pub octal: Option<u64>,
}

impl LeadingZero<'_> {
    /// The first one in a text of numbers with signs, commas and blanks between them.
    #[must_use]
    pub fn find(text: &str) -> Option<LeadingZero<'_>> {
        LeadingZero::all(text).find(|zero| zero.octal != Some(zero.decimal))
    }

    /// The first number with a leading zero, also one that everybody reads alike.
    #[must_use]
    pub fn any(text: &str) -> Option<LeadingZero<'_>> {
        LeadingZero::all(text).next()
    }

    fn all(text: &str) -> impl Iterator<Item = LeadingZero<'_>> {
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter_map(|word| {
            let begins = word.len() >= 2 && word.starts_with('0');
            if !begins || !word.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            Some(LeadingZero {
                text: word,
                decimal: word.parse().ok()?,
                octal: u64::from_str_radix(word, 8).ok(),
            })
        })
    }

    /// What to write instead.
    #[must_use]
    pub fn instead(&self) -> String {
        match self.octal {
            Some(octal) if octal != self.decimal => {
                format!("{}, or {octal} if octal is meant", self.decimal)
            }
            _ => self.decimal.to_string(),
        }
    }
}

/// What is wrong with a text for a mask though people read it well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskSlip {
    /// What is wrong.
    pub what: String,
    /// The text that is meant, where it is plain.
    pub instead: Option<String>,
}

impl MaskSlip {
    /// The one of a text that the kernel refuses.
    #[must_use]
    pub fn find(text: &str) -> Option<MaskSlip> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        if text.contains(char::is_whitespace) {
            let meant = without_blanks(text);
            let meant = match LeadingZero::find(&meant).filter(|zero| zero.octal.is_none()) {
                Some(zero) => meant.replacen(zero.text, &zero.decimal.to_string(), 1),
                None => meant,
            };
            // `-5--x` is refused as well, and so are words that are no terms.
            let taken = mask_write(AdapterMask::EMPTY, meant.as_bytes()).is_ok();
            let instead = (meant.starts_with(['+', '-']) && taken).then_some(meant);
            return Some(MaskSlip { what: "blanks are not taken".to_owned(), instead });
        }
        let zero = LeadingZero::find(text).filter(|zero| zero.octal.is_none())?;
        Some(MaskSlip {
            what: format!(
                "`{}` begins with 0, so that it is octal to the kernel, which has no 8 and no 9",
                zero.text
            ),
            instead: Some(text.replacen(zero.text, &zero.decimal.to_string(), 1)),
        })
    }
}

/// A text for a mask without its blanks. Before a sign a blank ends a term, as a comma does: `-6 -11` is not `-6-11`.
fn without_blanks(text: &str) -> String {
    let mut meant = String::new();
    for word in text.split_whitespace() {
        let new_term = word.starts_with(['+', '-']) && meant.ends_with(|last: char| last.is_ascii_hexdigit());
        if new_term {
            meant.push(',');
        }
        meant.push_str(word);
    }
    meant
}

fn hex(digits: &str) -> Option<u8> {
    let fits = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| fits).and_then(|id| u8::try_from(id).ok())
}

/// `10`, `0x0a`.
fn number(text: &str) -> Result<u8, IdError> {
    if text.is_empty() {
        return Err(IdError::new("an id is missing", "expected 0-255, or 0x and hex digits"));
    }
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return hex(digits).ok_or_else(|| {
            IdError::new(format!("`{text}` is no id"), "expected 0-255, or 0x and hex digits")
        });
    }
    if let Some(zero) = LeadingZero::find(text).filter(|zero| zero.text == text) {
        return Err(IdError::new(format!("`{text}` begins with 0"), format!("expected {}", zero.instead())));
    }
    let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    if let Some(id) = text.parse().ok().filter(|_| digits) {
        return Ok(id);
    }
    let remedy = match hex(text) {
        Some(id) if !digits => format!("expected {id}, or in hex 0x{id:02x}: a number alone is decimal"),
        _ => "expected 0-255, or 0x and hex digits".to_owned(),
    };
    Err(IdError::new(format!("`{text}` is no id"), remedy))
}

/// An adapter: `10`, `0x0a`, `card0a`.
///
/// # Errors
/// [`IdError`] says what to write instead.
pub fn adapter(text: &str) -> Result<u8, IdError> {
    let Some(digits) = text.strip_prefix("card") else { return number(text) };
    hex(digits).filter(|_| digits.len() == 2).ok_or_else(|| {
        IdError::new(format!("`{text}` is no card's name"), "expected card and two hex digits, like card0a")
    })
}

/// A domain, without the dot that may stand before it: `71`, `0x47`, `0047`.
///
/// # Errors
/// [`IdError`] says what to write instead.
pub fn domain(text: &str) -> Result<u8, IdError> {
    if text.len() == 4 && !text.starts_with("0x") && !text.starts_with("0X") {
        return hex(text).ok_or_else(|| {
            IdError::new(
                format!("`{text}` is no domain's name"),
                "expected four hex digits up to 00ff, like 0047",
            )
        });
    }
    number(text)
}

/// A queue: `0a.0047`.
///
/// # Errors
/// [`IdError`] says what to write instead.
pub fn queue(text: &str) -> Result<Apqn, IdError> {
    let parts = text.split_once('.');
    if let Some((adapter, domain)) = parts
        && adapter.len() == 2
        && domain.len() == 4
        && let Some((adapter, domain)) = hex(adapter).zip(hex(domain))
    {
        return Ok(Apqn::new(adapter.into(), domain.into()));
    }
    let expected = "expected AA.DDDD in hex, like 04.0006".to_owned();
    let remedy = parts
        .and_then(|(adapter, domain)| {
            let in_hex = hex(adapter).zip(hex(domain));
            let in_decimal = adapter.parse::<u8>().ok().zip(domain.parse::<u8>().ok());
            let name = |(adapter, domain): (u8, u8)| Apqn::new(adapter.into(), domain.into());
            match (in_hex.map(name), in_decimal.map(name)) {
                (Some(hex), Some(decimal)) if hex != decimal => {
                    Some(format!("write {hex} if that is hex, {decimal} if it is decimal"))
                }
                (Some(one), _) | (None, Some(one)) => Some(format!("write {one}")),
                (None, None) => None,
            }
        })
        .unwrap_or(expected);
    Err(IdError::new(format!("`{text}` is no APQN"), remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_proposed_for_a_mask_with_blanks_is_taken() {
        let instead = |text: &str| MaskSlip::find(text).and_then(|slip| slip.instead);
        assert_eq!(instead("+4, -10"), Some("+4,-10".to_owned()));
        assert_eq!(instead("+4, +09"), Some("+4,+9".to_owned()));
        assert_eq!(instead("-6 -11"), Some("-6,-11".to_owned()));
        assert_eq!(instead("+3 +0xa -11\n"), Some("+3,+0xa,-11".to_owned()));
        assert_eq!(instead("-4 ,-10"), Some("-4,-10".to_owned()));
        for none in ["-5 --x", "+4 --json", "0x f", "+4 10 x"] {
            assert!(MaskSlip::find(none).is_some_and(|slip| slip.instead.is_none()), "{none}");
        }
    }

    #[test]
    fn h14_one_rule_reads_all_ids() {
        for text in ["10", "0x0a", "0X0A", "card0a"] {
            assert_eq!(adapter(text), Ok(10), "{text}");
        }
        for text in ["71", "0x47", "0047"] {
            assert_eq!(domain(text), Ok(71), "{text}");
        }
        assert_eq!(queue("0a.0047").map(|apqn| apqn.to_string()), Ok("0a.0047".to_owned()));
        let said = |error: IdError| error.to_string();
        assert_eq!(
            adapter("0a").map_err(said),
            Err("`0a` is no id: expected 10, or in hex 0x0a: a number alone is decimal".to_owned())
        );
        assert_eq!(
            queue("5.10").map_err(said),
            Err("`5.10` is no APQN: write 05.0010 if that is hex, 05.000a if it is decimal".to_owned())
        );
        assert_eq!(queue("4.6").map_err(said), Err("`4.6` is no APQN: write 04.0006".to_owned()));
        assert_eq!(
            adapter("").map_err(said),
            Err("an id is missing: expected 0-255, or 0x and hex digits".to_owned())
        );
        assert_eq!(
            adapter("010").map_err(said),
            Err("`010` begins with 0: expected 10, or 8 if octal is meant".to_owned())
        );
        assert_eq!(domain("089").map_err(said), Err("`089` begins with 0: expected 89".to_owned()));
        assert_eq!((adapter("04"), adapter("007"), domain("00")), (Ok(4), Ok(7), Ok(0)));
        assert_eq!(adapter("08").map_err(said), Err("`08` begins with 0: expected 8".to_owned()));
        for wrong in ["", "256", "-1", "+4", "x", "card5", "card100", "0x", "0x100"] {
            assert!(adapter(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", ".", "4", "04", "04.", "100.0006", "04.0100", "04.0006.1", "zz.0006"] {
            assert!(queue(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "01ff", "zzzz", "1234", "256"] {
            assert!(domain(wrong).is_err(), "{wrong}");
        }
    }
}
