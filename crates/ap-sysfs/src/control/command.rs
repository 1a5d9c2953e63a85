//! The operator's commands in the transcripts' words, as changes of the machine. (`conformance/README.md`, hw
//! commands.)

use ap_machine::{AdapterChange, Answers, Change, FacilityChange, Fault, Ids, functions_of};
use ap_types::{AdapterId, AdapterMask, DomainId, DomainMask, Features, Mode, ResponseCode};

use crate::nearest::meant;

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
    #[error("`{value}` is no value for {key}: expected {}", expected(key))]
    Value {
        /// The key.
        key: String,
        /// What was given.
        value: String,
    },
    /// A key without what it is set to.
    #[error("`{key}` needs a value: expected {key}=VALUE, {}", expected(key))]
    NoValue {
        /// The key.
        key: String,
    },
    /// A key is not one of this command's.
    #[error("`{key}` is no key of {}: expected {}{}", thing(command), listed(command), near(command, key))]
    Key {
        /// The command.
        command: &'static str,
        /// What was given.
        key: String,
    },
}

/// A key of a command: what it takes, and what it does.
pub struct Key {
    /// The command that has it: `q` is a queue's faults, `opt` and `qci` are settings of the machine, `ap` an adapter's.
    pub command: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub values: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

const fn key(command: &'static str, name: &'static str, values: &'static str, meaning: &'static str) -> Key {
    Key { command, name, values, meaning }
}

/// All keys.
pub const KEYS: &[Key] = &[
    key(
        "q",
        "rc",
        "a response code, 0-255 or 0x and hex digits: 0 is normal, 3 deconfigured, 4 checkstopped",
        "what the queue answers from now on",
    ),
    key(
        "q",
        "busy",
        "a count, 0-4294967295",
        "so many of the next tests of the queue answer that it is busy",
    ),
    key("q", "rip", "a count, 0-4294967295", "so many of the next tests answer that a reset is in progress"),
    key(
        "q",
        "resetlat",
        "a count, 0-4294967295",
        "how many tests after each reset still find it in progress",
    ),
    key("q", "zrc", "CODE:TIMES, like 0x10:1", "what so many of the next resets answer"),
    key("q", "trc", "CODE:TIMES, like 0x10:1", "what so many of the next tests answer"),
    key("q", "bs", "a bind state, 0-3", "of a Secure Execution guest: how the queue is bound"),
    key("q", "irq", "0 or 1", "whether its interrupts are enabled"),
    key("qci", "na", "an id, 0-255", "the highest adapter"),
    key("qci", "nd", "an id, 0-255", "the highest domain"),
    key("qci", "flags", "a word of 32 bits, like 0xf0000000", "the features that the machine tells"),
    key("opt", "fac12", "0 or 1", "whether the machine tells its configuration (QCI)"),
    key("opt", "fac15", "0 or 1", "whether it has the AP facilities test (APFT)"),
    key("opt", "fac65", "0 or 1", "whether queues have interrupts"),
    key("opt", "se", "0 or 1", "whether this host is a Secure Execution guest"),
    key("opt", "instr", "0 or 1", "whether it has AP instructions at all"),
    key("opt", "vm", "0 or 1", "whether it runs under z/VM"),
    key("opt", "log", "0 or 1", "whether instructions are told as events"),
    key("ap", "type", "a hardware type, 0-255", "which generation: 14 is a CEX8"),
    key("ap", "mode", "cca, ep11, accel or none", "what it is for"),
    key("ap", "fac", "0 or 0x and hex digits", "its function bits"),
    key("ap", "ml", "0-255, in units of 4096 bytes", "the longest message"),
    key("ap", "qd", "0-255", "the depth of its queues, less one"),
    key("ap", "deconf", "0 or 1", "whether it is deconfigured"),
    key("ap", "chkstop", "0 or 1", "whether it is checkstopped"),
    key("ap", "serial", "up to 8 letters and digits", "its serial number"),
];

/// What a key takes.
fn expected(name: &str) -> &'static str {
    KEYS.iter().find(|key| key.name == name).map_or("a number", |key| key.values)
}

/// What people call that which has the keys.
fn thing(command: &str) -> &'static str {
    match command {
        "q" => "a queue's faults",
        "ap" => "an adapter",
        _ => "the machine",
    }
}

/// The names of keys that can stand beside each other: the machine's are those of two commands.
fn names(command: &str) -> impl Iterator<Item = &'static str> {
    let machine = matches!(command, "qci" | "opt");
    let same = move |key: &&Key| key.command == command || machine && matches!(key.command, "qci" | "opt");
    let names: Vec<&'static str> = KEYS.iter().filter(same).map(|key| key.name).collect();
    names.into_iter()
}

fn listed(command: &str) -> String {
    names(command).collect::<Vec<_>>().join(", ")
}

fn near(command: &str, key: &str) -> String {
    let word = key.split('=').next().unwrap_or(key);
    meant(word, names(command)).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
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
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(CommandError::Value { key: key.to_owned(), value: text.to_owned() }),
    }
}

/// A word that should be `KEY=VALUE` and has no `=`.
pub(super) fn without_value(command: &'static str, word: &str) -> CommandError {
    let key = word.to_owned();
    if names(command).any(|name| name == word) {
        CommandError::NoValue { key }
    } else {
        CommandError::Key { command, key }
    }
}

fn pairs<'t>(
    command: &'static str,
    words: impl Iterator<Item = &'t str>,
) -> impl Iterator<Item = Result<(&'t str, &'t str), CommandError>> {
    words.map(move |word| word.split_once('=').ok_or_else(|| without_value(command, word)))
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
        "bs" => Fault::BindState(bind_state(key, text)?),
        "irq" => Fault::Interrupts(flag(key, text)?),
        _ => return Err(CommandError::Key { command: "q", key: key.to_owned() }),
    })
}

/// A bind state: two bits.
fn bind_state(key: &str, text: &str) -> Result<u8, CommandError> {
    let bad = || CommandError::Value { key: key.to_owned(), value: text.to_owned() };
    value(key, text).and_then(|state: u8| if state <= 3 { Ok(state) } else { Err(bad()) })
}

fn answers(key: &str, text: &str) -> Result<Answers, CommandError> {
    let bad = || CommandError::Value { key: key.to_owned(), value: text.to_owned() };
    let (code, times) = text.split_once(':').ok_or_else(bad)?;
    Ok(Answers { code: ResponseCode(value(key, code)?), times: value(key, times)? })
}
