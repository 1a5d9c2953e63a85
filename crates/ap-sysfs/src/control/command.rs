//! The operator's commands in the transcripts' words, as changes of the machine. (`conformance/README.md`, hw
//! commands.)

use ap_machine::{AdapterChange, Answers, Change, FacilityChange, Fault, Ids, functions_of};
use ap_types::{AdapterId, AdapterMask, DomainId, DomainMask, Features, Mode, ResponseCode};

/// A command that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No such command.
    #[error("`{0}` is no command of the machine: expected apm, aqm, adm, qci, opt, ap or q")]
    Unknown(String),
    /// A word is missing.
    #[error("`{command}` needs {what}")]
    Missing {
        /// The command.
        command: &'static str,
        /// What it lacks.
        what: &'static str,
    },
    /// A list of ids is not one.
    #[error("`{0}` is no list of ids: expected numbers 0-255 and ranges like 10-12, `all` or `none`")]
    List(String),
    /// A number is not one, or too large.
    #[error("`{value}` is no value for `{key}`")]
    Value {
        /// The key.
        key: String,
        /// What was given.
        value: String,
    },
    /// A key is not one of this command's.
    #[error("`{key}` is no key of `{command}`")]
    Key {
        /// The command.
        command: &'static str,
        /// What was given.
        key: String,
    },
}

/// Parses `4,10-12`, `all` or `none`.
fn list<I: From<u8>, M: FromIterator<I>>(text: &str) -> Result<M, CommandError> {
    let bad = || CommandError::List(text.to_owned());
    let ranges: Vec<(u8, u8)> = match text {
        "all" => vec![(0, 255)],
        "none" | "" => Vec::new(),
        _ => text
            .split(',')
            .map(|part| {
                let (low, high) = part.split_once('-').unwrap_or((part, part));
                let id = |text| number(text).and_then(|n| u8::try_from(n).ok()).ok_or_else(bad);
                let (low, high) = (id(low)?, id(high)?);
                if low > high { Err(bad()) } else { Ok((low, high)) }
            })
            .collect::<Result<_, _>>()?,
    };
    Ok(ranges.into_iter().flat_map(|(low, high)| (low..=high).map(I::from)).collect())
}

/// Parses a list with `+` or `-` before it, or without either.
fn signed<I: From<u8>, M: FromIterator<I>>(word: &str) -> Result<Ids<M>, CommandError> {
    if let Some(rest) = word.strip_prefix('+') {
        return list(rest).map(Ids::Add);
    }
    if let Some(rest) = word.strip_prefix('-') {
        return list(rest).map(Ids::Remove);
    }
    list(word).map(Ids::Set)
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

fn value<T: TryFrom<u64>>(key: &str, text: &str) -> Result<T, CommandError> {
    number(text)
        .and_then(|n| T::try_from(n).ok())
        .ok_or_else(|| CommandError::Value { key: key.to_owned(), value: text.to_owned() })
}

fn flag(key: &str, text: &str) -> Result<bool, CommandError> {
    Ok(value::<u64>(key, text)? != 0)
}

fn pairs<'t>(
    command: &'static str,
    words: impl Iterator<Item = &'t str>,
) -> impl Iterator<Item = Result<(&'t str, &'t str), CommandError>> {
    words.map(move |word| {
        word.split_once('=').ok_or_else(|| CommandError::Key { command, key: word.to_owned() })
    })
}

/// The changes that one of `apm aqm adm qci opt ap q` asks for.
///
/// # Errors
/// [`CommandError`] names the word.
pub fn changes(text: &str) -> Result<Vec<Change>, CommandError> {
    let mut words = text.split_ascii_whitespace();
    match words.next().unwrap_or("") {
        "apm" => {
            Ok(vec![Change::Adapters(signed::<AdapterId, AdapterMask>(words.next().unwrap_or("none"))?)])
        }
        "aqm" => Ok(vec![Change::Domains(signed::<DomainId, DomainMask>(words.next().unwrap_or("none"))?)]),
        "adm" => {
            Ok(vec![Change::ControlDomains(signed::<DomainId, DomainMask>(words.next().unwrap_or("none"))?)])
        }
        "qci" => pairs("qci", words).map(|pair| pair.and_then(|(key, text)| qci(key, text))).collect(),
        "opt" => pairs("opt", words).map(|pair| pair.and_then(|(key, text)| opt(key, text))).collect(),
        "ap" => adapter(words).map(|change| vec![change]),
        "q" => queue(words).map(|change| vec![change]),
        other => Err(CommandError::Unknown(other.to_owned())),
    }
}

fn qci(key: &str, text: &str) -> Result<Change, CommandError> {
    Ok(match key {
        "na" => Change::HighestAdapter(value("na", text)?),
        "nd" => Change::HighestDomain(value("nd", text)?),
        "flags" => Change::Features(Features(value("flags", text)?)),
        _ => return Err(CommandError::Key { command: "qci", key: key.to_owned() }),
    })
}

fn opt(key: &str, text: &str) -> Result<Change, CommandError> {
    let change: fn(bool) -> FacilityChange = match key {
        "fac12" => FacilityChange::Qci,
        "fac15" => FacilityChange::Apft,
        "fac65" => FacilityChange::Interrupts,
        "se" => FacilityChange::SecureExecution,
        "instr" => FacilityChange::Instructions,
        "vm" => FacilityChange::Zvm,
        "log" => FacilityChange::Log,
        _ => return Err(CommandError::Key { command: "opt", key: key.to_owned() }),
    };
    Ok(Change::Facility(change(flag(key, text)?)))
}

fn adapter<'t>(mut words: impl Iterator<Item = &'t str>) -> Result<Change, CommandError> {
    let missing = CommandError::Missing { command: "ap", what: "a list of ids" };
    let adapters = list::<AdapterId, AdapterMask>(words.next().ok_or(missing)?)?;
    let mut change = AdapterChange::default();
    for pair in pairs("ap", words) {
        let (key, text) = pair?;
        match key {
            "type" => change.hwtype = Some(value("type", text)?),
            "mode" => {
                let mode = match text {
                    "cca" => Mode::Cca,
                    "ep11" => Mode::Ep11,
                    "accel" => Mode::Accelerator,
                    "none" => Mode::None,
                    _ => return Err(CommandError::Value { key: key.to_owned(), value: text.to_owned() }),
                };
                change.functions = Some(functions_of(mode));
            }
            "fac" => change.functions = Some(value("fac", text)?),
            "ml" => change.ml = Some(value("ml", text)?),
            "qd" => change.qd = Some(value("qd", text)?),
            "deconf" => change.deconfigured = Some(flag("deconf", text)?),
            "chkstop" => change.checkstopped = Some(flag("chkstop", text)?),
            "serial" => change.serial = Some(text.to_owned()),
            _ => return Err(CommandError::Key { command: "ap", key: key.to_owned() }),
        }
    }
    Ok(Change::Adapter(adapters, change))
}

fn queue<'t>(mut words: impl Iterator<Item = &'t str>) -> Result<Change, CommandError> {
    let missing = CommandError::Missing { command: "q", what: "a list of adapters and one of domains" };
    let adapters = list::<AdapterId, AdapterMask>(words.next().ok_or_else(|| missing.clone())?)?;
    let domains = list::<DomainId, DomainMask>(words.next().ok_or(missing)?)?;
    let faults = pairs("q", words).map(|pair| pair.and_then(|(key, text)| fault(key, text)));
    Ok(Change::Queue(adapters, domains, faults.collect::<Result<_, _>>()?))
}

/// What `KEY=VALUE` of the `q` command does to a queue.
///
/// # Errors
/// [`CommandError::Key`], [`CommandError::Value`].
pub fn fault(key: &str, text: &str) -> Result<Fault, CommandError> {
    Ok(match key {
        "rc" => Fault::Answer(ResponseCode(value(key, text)?)),
        "busy" => Fault::Busy(value(key, text)?),
        "rip" => Fault::Resetting(value(key, text)?),
        "resetlat" => Fault::ResetLatency(value(key, text)?),
        "zrc" => Fault::Resets(answers(key, text)?),
        "trc" => Fault::Tests(answers(key, text)?),
        "bs" => Fault::BindState(value(key, text)?),
        "irq" => Fault::Interrupts(flag(key, text)?),
        _ => return Err(CommandError::Key { command: "q", key: key.to_owned() }),
    })
}

fn answers(key: &str, text: &str) -> Result<Answers, CommandError> {
    let bad = || CommandError::Value { key: key.to_owned(), value: text.to_owned() };
    let (code, times) = text.split_once(':').ok_or_else(bad)?;
    Ok(Answers { code: ResponseCode(value(key, code)?), times: value(key, times)? })
}
