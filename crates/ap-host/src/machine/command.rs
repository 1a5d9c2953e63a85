//! The operator's commands, in the transcripts' words. (`conformance/README.md`, hw commands.)

use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, DomainMask, Features, Mode};
use locks::Held;

use super::{Adapter, Machine, functions_of};
use crate::order::Devices;

/// A command that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
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

/// Parses `4,10-12`, `all` or `none` into the words of a mask.
fn list(text: &str) -> Result<[bool; 256], CommandError> {
    let bad = || CommandError::List(text.to_owned());
    let mut ids = [false; 256];
    match text {
        "all" => return Ok([true; 256]),
        "none" | "" => return Ok(ids),
        _ => {}
    }
    for part in text.split(',') {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let low: u8 = number(low).and_then(|n| u8::try_from(n).ok()).ok_or_else(bad)?;
        let high: u8 = number(high).and_then(|n| u8::try_from(n).ok()).ok_or_else(bad)?;
        if low > high {
            return Err(bad());
        }
        ids[usize::from(low)..=usize::from(high)].fill(true);
    }
    Ok(ids)
}

fn ids(text: &str) -> Result<impl Iterator<Item = u8>, CommandError> {
    let set = list(text)?;
    Ok((0..=255u8).filter(move |id| set[usize::from(*id)]))
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

impl Machine {
    /// Carries out one of `apm aqm adm qci opt ap q`. Nothing is changed if the command is not understood.
    ///
    /// # Errors
    /// [`CommandError`] names the word.
    pub fn command(&self, text: &str, held: &mut Held<'_, Devices>) -> Result<(), CommandError> {
        let mut words = text.split_ascii_whitespace();
        match words.next().unwrap_or("") {
            "apm" => {
                let word = words.next().unwrap_or("none");
                let (sign, ids) = signed(word)?;
                let mask: AdapterMask = ids.map(AdapterId).collect();
                self.configure_with(held, |config| apply(&mut config.qci.adapters, sign, mask));
            }
            "aqm" => {
                let word = words.next().unwrap_or("none");
                let (sign, ids) = signed(word)?;
                let mask: DomainMask = ids.map(DomainId).collect();
                self.configure_with(held, |config| apply(&mut config.qci.domains, sign, mask));
            }
            "adm" => {
                let word = words.next().unwrap_or("none");
                let (sign, ids) = signed(word)?;
                let mask: DomainMask = ids.map(DomainId).collect();
                self.configure_with(held, |config| apply(&mut config.qci.control_domains, sign, mask));
            }
            "qci" => self.command_qci(words, held)?,
            "opt" => self.command_opt(words, held)?,
            "ap" => self.command_ap(words, held)?,
            "q" => self.command_q(words, held)?,
            other => return Err(CommandError::Unknown(other.to_owned())),
        }
        Ok(())
    }

    fn command_qci<'t>(
        &self,
        words: impl Iterator<Item = &'t str>,
        held: &mut Held<'_, Devices>,
    ) -> Result<(), CommandError> {
        let mut qci = self.look(held, |config| config.qci);
        for pair in pairs("qci", words) {
            match pair? {
                ("na", text) => qci.na = value("na", text)?,
                ("nd", text) => qci.nd = value("nd", text)?,
                ("flags", text) => qci.features = Features(value("flags", text)?),
                (key, _) => return Err(CommandError::Key { command: "qci", key: key.to_owned() }),
            }
        }
        self.configure_with(held, |config| {
            config.qci.na = qci.na;
            config.qci.nd = qci.nd;
            config.qci.features = qci.features;
        });
        Ok(())
    }

    fn command_opt<'t>(
        &self,
        words: impl Iterator<Item = &'t str>,
        held: &mut Held<'_, Devices>,
    ) -> Result<(), CommandError> {
        let (mut has, mut log) = self.look(held, |config| (config.facilities, config.log));
        for pair in pairs("opt", words) {
            match pair? {
                ("fac12", text) => has.qci = flag("fac12", text)?,
                ("fac15", text) => has.apft = flag("fac15", text)?,
                ("fac65", text) => has.interrupts = flag("fac65", text)?,
                ("se", text) => has.secure_execution = flag("se", text)?,
                ("instr", text) => has.instructions = flag("instr", text)?,
                ("vm", text) => has.zvm = flag("vm", text)?,
                ("log", text) => log = flag("log", text)?,
                (key, _) => return Err(CommandError::Key { command: "opt", key: key.to_owned() }),
            }
        }
        self.configure_with(held, |config| {
            config.facilities = has;
            config.log = log;
        });
        Ok(())
    }

    fn command_ap<'t>(
        &self,
        mut words: impl Iterator<Item = &'t str>,
        held: &mut Held<'_, Devices>,
    ) -> Result<(), CommandError> {
        let adapters =
            ids(words.next().ok_or(CommandError::Missing { command: "ap", what: "a list of ids" })?)?;
        let (mut hwtype, mut word, mut ml, mut qd) = (None, None, None, None);
        let (mut deconfigured, mut checkstopped, mut serial) = (None, None, None);
        for pair in pairs("ap", words) {
            match pair? {
                ("type", text) => hwtype = Some(value::<u8>("type", text)?),
                ("mode", "cca") => word = Some(functions_of(Mode::Cca)),
                ("mode", "ep11") => word = Some(functions_of(Mode::Ep11)),
                ("mode", "accel") => word = Some(functions_of(Mode::Accelerator)),
                ("mode", "none") => word = Some(functions_of(Mode::None)),
                ("fac", text) => word = Some(value::<u32>("fac", text)?),
                ("ml", text) => ml = Some(value::<u8>("ml", text)?),
                ("qd", text) => qd = Some(value::<u8>("qd", text)?),
                ("deconf", text) => deconfigured = Some(flag("deconf", text)?),
                ("chkstop", text) => checkstopped = Some(flag("chkstop", text)?),
                ("serial", text) => serial = Some(text.to_owned()),
                (key @ "mode", text) => {
                    return Err(CommandError::Value { key: key.to_owned(), value: text.to_owned() });
                }
                (key, _) => return Err(CommandError::Key { command: "ap", key: key.to_owned() }),
            }
        }
        self.configure_with(held, |config| {
            for id in adapters {
                let adapter = config.adapters.entry(id).or_insert_with(|| Adapter {
                    hwtype: 0,
                    functions: 0,
                    ml: 0,
                    qd: 0,
                    deconfigured: false,
                    checkstopped: false,
                    serial: None,
                });
                if let Some(hwtype) = hwtype {
                    adapter.hwtype = hwtype;
                    adapter.ml = if hwtype >= 14 { 14 } else { 3 };
                    if adapter.qd == 0 {
                        adapter.qd = 7;
                    }
                }
                adapter.functions = word.unwrap_or(adapter.functions);
                adapter.ml = ml.unwrap_or(adapter.ml);
                adapter.qd = qd.unwrap_or(adapter.qd);
                adapter.deconfigured = deconfigured.unwrap_or(adapter.deconfigured);
                adapter.checkstopped = checkstopped.unwrap_or(adapter.checkstopped);
                if serial.is_some() {
                    adapter.serial.clone_from(&serial);
                }
            }
        });
        Ok(())
    }

    fn command_q<'t>(
        &self,
        mut words: impl Iterator<Item = &'t str>,
        held: &mut Held<'_, Devices>,
    ) -> Result<(), CommandError> {
        let missing = CommandError::Missing { command: "q", what: "a list of adapters and one of domains" };
        let adapters: Vec<u8> = ids(words.next().ok_or_else(|| missing.clone())?)?.collect();
        let domains: Vec<u8> = ids(words.next().ok_or(missing)?)?.collect();
        let mut changes: Vec<QueueChange> = Vec::new();
        for pair in pairs("q", words) {
            let (key, text) = pair?;
            changes.push(queue_change(key, text)?);
        }
        for adapter in adapters {
            for domain in &domains {
                let apqn = Apqn::new(AdapterId(adapter), DomainId(*domain));
                self.queue_with(apqn, held, |queue| changes.iter().for_each(|change| change(queue)));
            }
        }
        Ok(())
    }
}

/// What a fault does to a queue.
pub type QueueChange = Box<dyn Fn(&mut super::HwQueue)>;

/// What `KEY=VALUE` of the `q` command does to a queue.
///
/// # Errors
/// [`CommandError::Key`], [`CommandError::Value`].
pub fn queue_change(key: &str, text: &str) -> Result<QueueChange, CommandError> {
    Ok(match key {
        "rc" => {
            let rc = value::<u8>(key, text)?;
            Box::new(move |queue| queue.rc = rc)
        }
        "busy" => {
            let count = value::<u32>(key, text)?;
            Box::new(move |queue| queue.busy = count)
        }
        "rip" => {
            let count = value::<u32>(key, text)?;
            Box::new(move |queue| queue.rip = count)
        }
        "resetlat" => {
            let count = value::<u32>(key, text)?;
            Box::new(move |queue| queue.resetlat = count)
        }
        "zrc" | "trc" => {
            let bad = || CommandError::Value { key: key.to_owned(), value: text.to_owned() };
            let (code, count) = text.split_once(':').ok_or_else(bad)?;
            let code = value::<u8>(key, code)?;
            let count = value::<u32>(key, count)?;
            if key == "zrc" {
                Box::new(move |queue| queue.zrc = (code, count))
            } else {
                Box::new(move |queue| queue.trc = (code, count))
            }
        }
        "bs" => {
            let state = value::<u8>(key, text)?;
            Box::new(move |queue| queue.bs = state & 3)
        }
        "irq" => {
            let on = flag(key, text)?;
            Box::new(move |queue| queue.irq = on)
        }
        _ => return Err(CommandError::Key { command: "q", key: key.to_owned() }),
    })
}

fn signed(word: &str) -> Result<(char, impl Iterator<Item = u8>), CommandError> {
    match word.strip_prefix(['+', '-']) {
        Some(rest) => Ok((word.chars().next().unwrap_or('='), ids(rest)?)),
        None => Ok(('=', ids(word)?)),
    }
}

fn apply<M>(mask: &mut M, sign: char, ids: M)
where
    M: Copy + std::ops::BitOr<Output = M> + std::ops::Sub<Output = M>,
{
    *mask = match sign {
        '+' => *mask | ids,
        '-' => *mask - ids,
        _ => ids,
    };
}
