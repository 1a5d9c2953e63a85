//! What a text that is written to a file of the tree asks for: every file that takes writes, in the kernel's texts.
//!
//! Knows the grammar of each file and the state that relative texts count from; not whether what is asked is allowed.

use ap_sysfs::ids::{LeadingZero, MaskSlip};
use ap_types::grammar::{self, ConfigError, MaskError, NumberError, device_name};
use ap_types::{AdapterId, Apqn, DomainId, Mask, Matrix, Uuid};

use crate::rule::Rule;
use crate::state::{Driver, State};
use crate::write::{Delta, Store, Write};

/// What is known of a write before the rules are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It asks for this.
    Asks(Box<Write>),
    /// It changes nothing, and succeeds.
    Nothing,
    /// It takes something from an mdev, which then has this matrix; that is never refused.
    Takes(Uuid, Matrix),
    /// It is refused for its text, or because what it names is not there.
    Wrong(Wrong),
    /// No rule is known for this file.
    Unknown,
}

/// A text that its file does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What write(2) answers.
    pub errno: &'static str,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub remedy: String,
    /// The rule that says so.
    pub rule: Rule,
}

/// A text that is refused with that error.
fn wrong(errno: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Reading {
    by_rule(Rule::Text, errno, what, remedy)
}

/// What is refused with that error, and not for the form of its text.
fn by_rule(rule: Rule, errno: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Reading {
    Reading::Wrong(Wrong { errno, what: what.into(), remedy: remedy.into(), rule })
}

/// What is said of the text of a mask.
const MASK: &str =
    "write 0x and hex digits for the whole mask (bit 0 is the leftmost), or terms like +4,-10-12";
/// What is said of the text of a number.
const NUMBER: &str = "write a number in decimal, or 0x and hex digits";
/// What is said of the text of `ap_config`.
const CONFIG: &str = "write the masks of adapters, domains and control domains, 0x and hex digits each, with commas between them";

/// Reads a write to a host in that state.
#[must_use]
pub fn read(state: &State, store: &Store) -> Reading {
    if store.text.is_empty() {
        return Reading::Nothing;
    }
    let path = store.path.trim_matches('/');
    let path = path.strip_prefix("sys/").unwrap_or(path);
    let (directory, file) = path.rsplit_once('/').unwrap_or(("", path));
    let holder = directory.rsplit('/').next().unwrap_or_default();
    let text = store.text.as_bytes();
    if let Ok(uuid) = grammar::uuid(holder.as_bytes())
        && holder.len() == 36
    {
        return of_mdev(state, uuid, file, text);
    }
    if let Ok(apqn) = holder.parse::<Apqn>() {
        return of_queue(state, apqn, file, text);
    }
    if let Some(card) = card(holder) {
        return if file == "online" { online(state, text, card, None) } else { Reading::Unknown };
    }
    let overridden = !state.overrides.is_empty();
    match (directory, file) {
        ("bus/ap", "apmask") => mask(state.masks.adapters, overridden, text, Write::Apmask, "apmask"),
        ("bus/ap", "aqmask") => mask(state.masks.domains, overridden, text, Write::Aqmask, "aqmask"),
        ("bus/ap", _) => of_bus(state, file, text),
        (_, "create") if directory.ends_with("mdev_supported_types/vfio_ap-passthrough") => {
            match grammar::uuid(text) {
                Ok(uuid) => asks(Write::Create(uuid)),
                Err(_) => wrong(
                    "EINVAL",
                    format!("`{}` is not a UUID", shown(text)),
                    "write 36 characters like 62177883-f1bb-47f0-914d-32a22e3a8804; `uuidgen` makes one",
                ),
            }
        }
        _ => match directory.strip_prefix("bus/ap/drivers/") {
            Some(driver) => of_driver(driver, file, text),
            None => Reading::Unknown,
        },
    }
}

fn asks(write: Write) -> Reading {
    Reading::Asks(Box::new(write))
}

/// The card of that name: `card0a`.
fn card(name: &str) -> Option<AdapterId> {
    let digits = name.strip_prefix("card").filter(|digits| digits.len() == 2)?;
    u8::from_str_radix(digits, 16).ok().map(AdapterId)
}

/// A text without its last newline.
fn line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim_end_matches('\n').to_owned()
}

/// A text as a message shows it: not too long, and nothing in it that a terminal takes for a command.
fn shown(text: &[u8]) -> String {
    let line = line(text);
    let short: String = line.chars().take(60).collect();
    let more = if short.len() < line.len() { "…" } else { "" };
    let one = |letter: char| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    short.chars().map(one).collect::<String>() + more
}

fn mask<M>(now: M, overridden: bool, text: &[u8], write: fn(Delta<M>) -> Write, name: &str) -> Reading
where
    M: Mask + std::ops::Sub<Output = M> + std::ops::BitOr<Output = M>,
{
    match grammar::mask_write(now, text) {
        Ok(new) if new == now && !overridden => Reading::Nothing,
        Ok(new) => asks(write(Delta::between(now, new))),
        Err(error) => {
            let what = format!("`{}` is not a text for {name}", shown(text));
            match error {
                MaskError::Reversed { first, last } => wrong(
                    "EINVAL",
                    format!("{what}: {first}-{last} runs backwards"),
                    format!("write {last}-{first}"),
                ),
                MaskError::OutOfRange { number } => wrong(
                    "EINVAL",
                    format!("{what}: {number} is above 255, the highest id that there can be"),
                    "write ids from 0 to 255",
                ),
                MaskError::TooLong => wrong(
                    "EINVAL",
                    format!("{what}: {}", too_long(text)),
                    format!("write 0x and at most {MASK_DIGITS} hex digits"),
                ),
                _ => match MaskSlip::find(&String::from_utf8_lossy(text)) {
                    Some(MaskSlip { what: slip, instead: Some(instead) }) => wrong(
                        "EINVAL",
                        format!("{what}: {slip}"),
                        format!("write {instead}, terms like +4,-10-12 without blanks"),
                    ),
                    Some(MaskSlip { what: slip, instead: None }) => {
                        wrong("EINVAL", format!("{what}: {slip}"), MASK)
                    }
                    None => wrong("EINVAL", what, MASK),
                },
            }
        }
    }
}

/// A number, or what is wrong with it.
fn number(text: &[u8]) -> Result<u64, Reading> {
    grammar::strict(text).map_err(|error| match error {
        NumberError::Range => {
            wrong("ERANGE", format!("`{}` is larger than any number here", shown(text)), NUMBER)
        }
        NumberError::Invalid if text.trim_ascii().is_empty() => wrong("EINVAL", "the text is empty", NUMBER),
        NumberError::Invalid => {
            let (what, remedy) = no_number(text);
            wrong("EINVAL", what, remedy)
        }
    })
}

/// What is wrong with a text that is no number, and what to write instead.
fn no_number(text: &[u8]) -> (String, String) {
    let what = format!("`{}` is not a number", shown(text));
    let text = line(text);
    let text = text.as_str();
    let within = |id: Option<u32>| id.filter(|id| *id <= 255);
    let bare: String = text.split_whitespace().collect();
    if bare != text && grammar::strict(bare.as_bytes()).is_ok() {
        return (format!("{what}: blanks are not taken"), format!("write {bare}"));
    }
    if let Some(zero) = LeadingZero::find(text).filter(|zero| zero.text == text) {
        let why = "it begins with 0, so that it is octal, which has no 8 and no 9";
        return (format!("{what}: {why}"), format!("write {}", zero.decimal));
    }
    if let Some(id) = text.strip_prefix("0b").and_then(|digits| within(u32::from_str_radix(digits, 2).ok())) {
        return (format!("{what}: binary is not taken"), format!("write {id}"));
    }
    let several = text.bytes().skip(1).any(|byte| b",-".contains(&byte));
    if several && text.starts_with(|first: char| first.is_ascii_digit()) {
        return (what, format!("{NUMBER}; one id for each write, no lists and no ranges"));
    }
    let hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match within(u32::from_str_radix(text, 16).ok()).filter(|_| hex) {
        Some(id) => {
            (what, format!("write 0x{text}, or {id} in decimal: names are hex, this file takes decimal"))
        }
        None => (what, NUMBER.to_owned()),
    }
}

/// How many hex digits a mask has at the most.
const MASK_DIGITS: usize = 64;

/// That a mask has too many digits.
fn too_long(text: &[u8]) -> String {
    let text = text.trim_ascii();
    let digits = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")).unwrap_or(text);
    format!("it has {} hex digits, and a mask has at most {MASK_DIGITS}", digits.len())
}

/// What is wrong with a text for `ap_config`, and what to write instead.
fn no_config(text: &[u8], error: ConfigError) -> Reading {
    let what = format!("`{}` is not three masks", shown(text));
    let (slip, remedy) = match error {
        ConfigError::MissingMask { .. } => (": it has one part", CONFIG.to_owned()),
        ConfigError::BadMask { token, source } => {
            let part = text.split(|byte| matches!(byte, b',' | b'\n')).nth(token).unwrap_or_default();
            let name = ["adapters", "domains", "control domains"].get(token).copied().unwrap_or("more");
            let (slip, remedy) = match source {
                MaskError::TooLong => {
                    (too_long(part), format!("write 0x and at most {MASK_DIGITS} hex digits for each mask"))
                }
                _ if part.iter().any(u8::is_ascii_whitespace) => {
                    ("blanks are not taken".to_owned(), CONFIG.to_owned())
                }
                _ => (format!("`{}` is no mask", shown(part)), CONFIG.to_owned()),
            };
            return wrong("EINVAL", format!("{what}: of the {name}, {slip}"), remedy);
        }
    };
    wrong("EINVAL", what + slip, remedy)
}

/// The kinds of ids that an mdev is given.
#[derive(Clone, Copy)]
enum Part {
    Adapter,
    Domain,
    Control,
}

fn of_mdev(state: &State, uuid: Uuid, file: &str, text: &[u8]) -> Reading {
    let part = match file {
        "assign_adapter" | "unassign_adapter" => Part::Adapter,
        "assign_domain" | "unassign_domain" => Part::Domain,
        "assign_control_domain" | "unassign_control_domain" => Part::Control,
        "ap_config" => {
            return match grammar::ap_config(text) {
                Ok(matrix) => asks(Write::Config(uuid, matrix)),
                Err(error) => no_config(text, error),
            };
        }
        "remove" => {
            return match grammar::strict(text) {
                Ok(0) => Reading::Nothing,
                Ok(_) => asks(Write::Remove(uuid)),
                Err(_) => wrong("EINVAL", format!("`{}` is not a number", shown(text)), "write 1"),
            };
        }
        _ => return Reading::Unknown,
    };
    let id = match number(text) {
        Ok(id) => id,
        Err(refused) => return refused,
    };
    let Some(mdev) = state.mdevs.get(&uuid) else {
        return asks(Write::Config(uuid, Matrix::default()));
    };
    let (what, highest) = match part {
        Part::Adapter => ("adapter", state.limits.adapter),
        Part::Domain => ("domain", state.limits.domain),
        Part::Control => ("control domain", state.limits.domain),
    };
    let Some(id) = u8::try_from(id).ok().filter(|id| *id <= highest) else {
        let article = if what == "adapter" { "an" } else { "a" };
        return by_rule(
            Rule::Highest,
            "ENODEV",
            format!("{what} {id} is above the highest that this host can assign, {highest}"),
            format!("choose {article} {what} up to {highest}"),
        );
    };
    let mut matrix = mdev.matrix;
    if file.starts_with("unassign") {
        match part {
            Part::Adapter => matrix.adapters.remove(AdapterId(id)),
            Part::Domain => matrix.domains.remove(DomainId(id)),
            Part::Control => matrix.control_domains.remove(DomainId(id)),
        };
        return Reading::Takes(uuid, matrix);
    }
    let fresh = match part {
        Part::Adapter => matrix.adapters.insert(AdapterId(id)),
        Part::Domain => matrix.domains.insert(DomainId(id)),
        // Nothing of the host's or of another mdev's is taken by a control domain.
        Part::Control => false,
    };
    if fresh { asks(Write::Config(uuid, matrix)) } else { Reading::Nothing }
}

fn of_queue(state: &State, apqn: Apqn, file: &str, text: &[u8]) -> Reading {
    match file {
        "driver_override" => {
            let name = line(text);
            match (Driver::from_name(&name), name.is_empty()) {
                (driver @ Some(_), _) => asks(Write::Override(apqn, driver)),
                // Another name is refused for the same reasons as none.
                (None, _) => asks(Write::Override(apqn, None)),
            }
        }
        "online" => online(state, text, apqn.adapter, Some(apqn)),
        "reset" => reset(state, apqn),
        _ => Reading::Unknown,
    }
}

/// A card, or a queue of it, is switched on or off.
fn online(state: &State, text: &[u8], card: AdapterId, queue: Option<Apqn>) -> Reading {
    let off = |how: &str, (what, also): (String, &str), verb: &str, command: String| {
        let remedy = format!(
            "let the machine's operator {verb} it: `apmatrix hw {command}`; the host sees that at its next scan"
        );
        by_rule(Rule::Off, "ENODEV", format!("{what} is {how}{also}"), remedy)
    };
    let deconfigured =
        |what: (String, &'static str), command: String| off("deconfigured", what, "configure", command);
    let checkstopped =
        |what: (String, &'static str), command: String| off("checkstopped", what, "repair", command);
    // What the whole card is, each of its queues is, too.
    let who = match queue.filter(|queue| state.off.contains(*queue)) {
        Some(queue) => (format!("queue {queue}"), ", as its card is"),
        None => (format!("card{card}"), ""),
    };
    match (grammar::scanned_decimal(text), queue) {
        (Ok(1), _) if state.cards_checkstopped.contains(card) => {
            checkstopped(who, format!("repair card{card}"))
        }
        (Ok(1), _) if state.cards_off.contains(card) => deconfigured(who, format!("configure card{card}")),
        (Ok(1), Some(queue)) if state.checkstopped.contains(queue) => {
            checkstopped((format!("queue {queue}"), ""), format!("repair {queue}"))
        }
        (Ok(1), Some(queue)) if state.off.contains(queue) => {
            let repaired = format!("repair {queue}");
            off("deconfigured", (format!("queue {queue}"), ""), "mend", repaired)
        }
        (Ok(1), Some(queue)) if state.switched_off.contains(card) => by_rule(
            Rule::Off,
            "EINVAL",
            format!("the card of queue {queue} is switched off"),
            format!("echo 1 > /sys/bus/ap/devices/card{card}/online first"),
        ),
        (Ok(0 | 1), _) => Reading::Nothing,
        _ => wrong("EINVAL", format!("`{}` is neither 0 nor 1", shown(text)), "write 0 or 1"),
    }
}

/// A queue is reset, whatever the text.
fn reset(state: &State, queue: Apqn) -> Reading {
    let lent = state.mdevs.iter().find_map(|(uuid, mdev)| {
        let holder = mdev.holder.as_ref().filter(|_| mdev.shadow.contains(queue))?;
        Some((uuid, holder))
    });
    match lent.filter(|_| state.queues.vfio.contains(queue)) {
        Some((uuid, holder)) => by_rule(
            Rule::Lent,
            "EBUSY",
            format!("{holder} has queue {queue}, by mdev {uuid}"),
            match &holder.guest {
                Some(guest) if holder.process.is_none() => {
                    format!("stop the guest: apmatrix guest stop {guest}")
                }
                _ => format!("stop {holder}"),
            },
        ),
        None => Reading::Nothing,
    }
}

fn of_driver(driver: &str, file: &str, text: &[u8]) -> Reading {
    if !matches!(file, "bind" | "unbind") {
        return Reading::Unknown;
    }
    let queue: Option<Apqn> = device_name(text).and_then(|name| {
        let apqn: Apqn = name.parse().ok()?;
        (apqn.to_string() == name).then_some(apqn)
    });
    match (queue, Driver::from_name(driver)) {
        (Some(queue), Some(driver)) if file == "bind" => asks(Write::Bind(queue, driver)),
        (Some(queue), Some(driver)) => asks(Write::Unbind(queue, driver)),
        (None, Some(_)) => by_rule(
            Rule::Binding,
            "ENODEV",
            format!("`{}` is not a queue", shown(text)),
            "write the queue as its directory is called, in hex: 05.0047",
        ),
        (_, None) => Reading::Unknown,
    }
}

fn of_bus(state: &State, file: &str, text: &[u8]) -> Reading {
    let within = |name: &str, value: Option<i64>, least: i64, most: i64| match value {
        Some(value) if (least..=most).contains(&value) => Reading::Nothing,
        _ => wrong(
            "EINVAL",
            format!("`{}` is not a value for {name}", shown(text)),
            format!("write a number from {least} to {most}"),
        ),
    };
    match file {
        "ap_domain" => match grammar::scanned_prefixed(text).ok().and_then(|id| u8::try_from(id).ok()) {
            Some(id) if id <= state.limits.domain && state.masks.domains.contains(DomainId(id)) => {
                Reading::Nothing
            }
            Some(id) if id <= state.limits.domain => wrong(
                "EINVAL",
                format!("domain {id} is not one of the host's: aqmask does not have it"),
                format!("choose another domain, or echo +{id} > /sys/bus/ap/aqmask first"),
            ),
            _ => within(file, None, 0, i64::from(state.limits.domain)),
        },
        "config_time" => within(file, grammar::scanned_decimal(text).ok().map(i64::from), 5, 120),
        "poll_timeout" => {
            let value = grammar::strict(text).ok().and_then(|n| i64::try_from(n).ok());
            within(file, value, 0, 120_000_000_000)
        }
        "poll_thread" => match grammar::boolean_word(text) {
            Ok(_) => Reading::Nothing,
            Err(_) => wrong("EINVAL", format!("`{}` is neither 0 nor 1", shown(text)), "write 0 or 1"),
        },
        _ => Reading::Unknown,
    }
}
