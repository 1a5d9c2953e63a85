//! What the machine's operator does. (`INTERFACES.md`, hw.)

use ap_host::module::{Module, ModuleError};
use ap_machine::{AdapterChange, Change, Fault, Ids, KeysChange, Pattern, Taken};
use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, DomainMask, Mode, ResponseCode};

use crate::control::command;
use crate::control::error::ControlError;
use crate::control::there;
use crate::control::verb::{Verbs, verb};
use crate::errno::Errno;
use crate::ids::{self, IdError};
use crate::tree::{Doing, Root, Tree};

/// The most milliseconds of one `advance`.
const YEAR: u64 = 365 * 86_400_000;

/// The verbs of the control file `hw`.
pub const HW: Verbs = Verbs {
    command: "hw",
    list: &[
        verb(
            "plug",
            "AP[-AP] | .DOM[-DOM] | APQN",
            "adapters, usage domains or a queue come into the configuration",
            |t, w, task| plug(t, w, true, task),
        ),
        verb(
            "unplug",
            "AP[-AP] | .DOM[-DOM] | APQN",
            "adapters, usage domains or a queue leave it",
            |t, w, task| plug(t, w, false, task),
        ),
        verb("control", "plug|unplug DOM[-DOM]", "control domains come or leave", control),
        verb("configure", "AP", "an adapter can be used again", |t, w, task| deconfigure(t, w, false, task)),
        verb("deconfigure", "AP", "an adapter stays and cannot be used", |t, w, task| {
            deconfigure(t, w, true, task)
        }),
        verb("checkstop", "AP | APQN", "an adapter or a queue breaks", |t, w, task| {
            checkstop(t, w, true, task)
        }),
        verb("repair", "AP | APQN", "an adapter or a queue works again", |t, w, task| {
            checkstop(t, w, false, task)
        }),
        verb("type", "AP CEX8C", "another adapter takes its place", set_type),
        verb("fault", "APQN KEY=VALUE…", "what a queue answers: rc busy rip resetlat zrc trc bs irq", fault),
        verb("keys", "APQN new|current|old=PATTERN…", "master keys: 0x and 16 hex digits, or none", keys),
        verb("set", "KEY=VALUE…", "what the machine has: na nd flags fac12 fac15 fac65 se instr vm log", set),
        verb(
            "modules",
            "load|unload NAME [PARAMS]",
            "the host's modules: ap zcrypt zcrypt_cex4 mdev vfio_ap",
            modules,
        ),
        verb("advance", "MILLISECONDS", "machine time passes", advance),
        verb("raw", "COMMAND", "a command of the transcripts", raw).hidden(),
        verb("pqap", "NAME GR0 GR1 GR2", "a guest's instruction", pqap).hidden(),
    ],
};

/// Carries out one `hw` verb.
///
/// # Errors
/// [`ControlError`] names the word and what was expected, or carries the host's errno.
///
/// # Locks
/// The machine's; where its change is noticed, what a scan takes; for `modules` and `pqap` what their operations take.
pub fn hw(tree: &Tree, line: &str, task: Doing) -> Result<String, ControlError> {
    HW.run(tree, line, task)
}

/// What a verb answers that was given the right number of words.
type Answer = Result<Option<String>, ControlError>;

/// Nothing is to be said.
fn done() -> Answer {
    Ok(Some(String::new()))
}

/// The machine tells the host that it was changed, which scans then.
fn noticed(tree: &Tree, task: Doing) -> Answer {
    tree.host.bus.notice_change(task);
    done()
}

fn changes(text: &str) -> Result<Vec<Change>, ControlError> {
    command::changes(text).map_err(|error| ControlError::invalid(error.to_string()))
}

fn change(tree: &Tree, change: Change, held: Root) {
    tree.machine.change(&change, &mut held.at());
}

fn invalid(error: IdError) -> ControlError {
    ControlError::invalid(error.to_string())
}

fn id(text: &str) -> Result<u8, ControlError> {
    ids::adapter(text).map_err(invalid)
}

/// The ids of `A` or `A-B`, each of which `read` reads.
fn range<I: From<u8>, M: FromIterator<I>>(
    text: &str,
    read: fn(&str) -> Result<u8, IdError>,
) -> Result<M, ControlError> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    if text != "-" && (low.is_empty() || high.is_empty()) && text.contains('-') {
        let text = format!("`{text}` is no range: expected its first and its last id, like 8-11");
        return Err(ControlError::invalid(text));
    }
    let (low, high) = (read(low).map_err(invalid)?, read(high).map_err(invalid)?);
    if low > high {
        let text = format!("`{text}`: the range is the wrong way round: expected {high}-{low}");
        return Err(ControlError::invalid(text));
    }
    Ok((low..=high).map(I::from).collect())
}

fn apqn(text: &str) -> Result<Apqn, ControlError> {
    ids::queue(text).map_err(invalid)
}

fn plug(tree: &Tree, words: &[&str], on: bool, task: Doing) -> Answer {
    let [what] = words else { return Ok(None) };
    let said = plug_what(tree, what, on, task)?;
    tree.host.bus.notice_change(task);
    Ok(Some(said))
}

/// Puts something into the configuration, or takes it out; what is to be known of that.
fn plug_what(tree: &Tree, what: &str, on: bool, held: Root) -> Result<String, ControlError> {
    if let Some(domains) = what.strip_prefix('.') {
        let said = domains;
        let domains: DomainMask = range::<DomainId, _>(said, ids::domain)?;
        if on {
            there::possible_domains(tree, &domains, held)?;
            let already = there::domains_already(tree, &domains, held);
            change(tree, Change::Domains(Ids::Add(domains)), held);
            return Ok(already);
        }
        take(tree, Taken::Domains(domains), said, held)?;
        return Ok(String::new());
    }
    if what.contains('.') {
        let apqn = apqn(what)?;
        if on {
            there::possible_adapters(tree, &AdapterMask::single(apqn.adapter), held)?;
            there::possible_domains(tree, &DomainMask::single(apqn.domain), held)?;
        } else {
            there::configured_queue(tree, apqn, held)?;
        }
        let answer = if on { ResponseCode::NORMAL } else { ResponseCode::Q_NOT_AVAIL };
        change(tree, Change::fault(apqn, Fault::Answer(answer)), held);
        let mut said = String::new();
        if on {
            let adapter = AdapterMask::single(apqn.adapter);
            said = furnish(tree, adapter, held);
            change(tree, Change::Adapters(Ids::Add(adapter)), held);
            change(tree, Change::Domains(Ids::Add(DomainMask::single(apqn.domain))), held);
        }
        return Ok(said);
    }
    let adapters: AdapterMask = range::<AdapterId, _>(what, ids::adapter)?;
    if !on {
        take(tree, Taken::Adapters(adapters), what, held)?;
        return Ok(String::new());
    }
    there::possible_adapters(tree, &adapters, held)?;
    let said = there::adapters_already(tree, &adapters, held) + &furnish(tree, adapters, held);
    change(tree, Change::Adapters(Ids::Add(adapters)), held);
    Ok(said)
}

/// Takes something out of the configuration; `said` names it. What is not there is looked at as it goes: of two
/// operators who take the same, one is told that it is gone.
fn take(tree: &Tree, taken: Taken, said: &str, held: Root) -> Result<(), ControlError> {
    let what = match taken {
        Taken::Adapters(_) => "adapter",
        Taken::Domains(_) => "domain",
        Taken::ControlDomains(_) => "control domain",
    };
    let gone = tree.machine.take(taken, &mut held.at());
    gone.map_err(|there| there::missing(what, said, &there::listed(there.into_iter())))
}

fn control(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    match words {
        ["plug", said] => {
            let domains: DomainMask = range::<DomainId, _>(said, ids::domain)?;
            there::possible_domains(tree, &domains, task)?;
            change(tree, Change::ControlDomains(Ids::Add(domains)), task);
        }
        ["unplug", said] => {
            take(tree, Taken::ControlDomains(range::<DomainId, _>(said, ids::domain)?), said, task)?;
        }
        _ => return Ok(None),
    }
    noticed(tree, task)
}

/// An adapter that the machine never had is a CEX8C; says which ones were made.
fn furnish(tree: &Tree, adapters: AdapterMask, held: Root) -> String {
    let mut made = Vec::new();
    for id in adapters.iter() {
        let missing = tree.machine.look(&mut held.at(), |config| {
            config.adapters.get(&id).is_none_or(|adapter| adapter.hwtype == 0)
        });
        if missing {
            let new = AdapterChange { serial: Some(serial(id)), ..AdapterChange::of_type(14, Mode::Cca) };
            change_adapter(tree, id, new, held);
            made.push(id.0);
        }
    }
    match made.as_slice() {
        [] => String::new(),
        [id] => {
            format!("adapter {id} is new: card{id:02x}, a CEX8C; `hw type {id} …` makes it another one\n")
        }
        all => format!("adapters {} are new: a CEX8C each\n", there::listed(all.iter().copied())),
    }
}

/// A serial number derived from an adapter's id.
fn serial(adapter: AdapterId) -> String {
    format!("93AADX{:02X}", adapter.0)
}

fn change_adapter(tree: &Tree, adapter: AdapterId, new: AdapterChange, held: Root) {
    change(tree, Change::Adapter(AdapterMask::single(adapter), new), held);
}

fn deconfigure(tree: &Tree, words: &[&str], deconfigured: bool, task: Doing) -> Answer {
    let [adapter] = words else { return Ok(None) };
    let new = AdapterChange { deconfigured: Some(deconfigured), ..AdapterChange::default() };
    let id = AdapterId(id(adapter)?);
    there::adapter(tree, id, task)?;
    change_adapter(tree, id, new, task);
    noticed(tree, task)
}

fn checkstop(tree: &Tree, words: &[&str], on: bool, task: Doing) -> Answer {
    let [what] = words else { return Ok(None) };
    let mut said = String::new();
    if what.contains('.') {
        let answer = if on { ResponseCode::CHECKSTOPPED } else { ResponseCode::NORMAL };
        let apqn = apqn(what)?;
        there::queue(tree, apqn, task)?;
        change(tree, Change::fault(apqn, Fault::Answer(answer)), task);
        said = there::not_yet(tree, apqn, task);
    } else {
        let new = AdapterChange { checkstopped: Some(on), ..AdapterChange::default() };
        let id = AdapterId(id(what)?);
        there::adapter(tree, id, task)?;
        change_adapter(tree, id, new, task);
    }
    tree.host.bus.notice_change(task);
    Ok(Some(said))
}

fn set_type(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let [adapter, name] = words else { return Ok(None) };
    let id = AdapterId(id(adapter)?);
    let bad =
        || ControlError::invalid(format!("`{name}` is no adapter type: expected CEX4 to CEX8 and A, C or P"));
    let rest = name.strip_prefix("CEX").ok_or_else(bad)?;
    let (generation, mode) = rest.split_at_checked(1).ok_or_else(bad)?;
    let generation: u8 = generation.parse().ok().filter(|g| (4..=8).contains(g)).ok_or_else(bad)?;
    let mode = match mode {
        "A" => Mode::Accelerator,
        "C" => Mode::Cca,
        "P" => Mode::Ep11,
        _ => return Err(bad()),
    };
    there::adapter(tree, id, task)?;
    let new = AdapterChange { serial: Some(serial(id)), ..AdapterChange::of_type(generation + 6, mode) };
    change_adapter(tree, id, new, task);
    noticed(tree, task)
}

fn fault(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let [name, pairs @ ..] = words else { return Ok(None) };
    if pairs.is_empty() {
        return Ok(None);
    }
    let apqn = apqn(name)?;
    let mut faults = Vec::new();
    for pair in pairs {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| ControlError::invalid(command::without_value("q", pair).to_string()))?;
        faults.push(command::fault(key, value).map_err(|error| ControlError::invalid(error.to_string()))?);
    }
    there::queue(tree, apqn, task)?;
    let (adapters, domains) = (AdapterMask::single(apqn.adapter), DomainMask::single(apqn.domain));
    change(tree, Change::Queue(adapters, domains, faults), task);
    Ok(Some(there::not_yet(tree, apqn, task)))
}

/// A verification pattern of up to 16 hex digits, or `none`.
fn pattern(text: &str) -> Result<Option<Pattern>, ControlError> {
    if text == "none" {
        return Ok(None);
    }
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let digits = digits.filter(|digits| !digits.starts_with('+'));
    digits.and_then(|digits| Pattern::from_str_radix(digits, 16).ok()).map(Some).ok_or_else(|| {
        ControlError::invalid(format!("`{text}` is no pattern: expected 0x and up to 16 hex digits, or none"))
    })
}

/// The administrator sets master keys of a domain of an adapter.
fn keys(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let [name, pairs @ ..] = words else { return Ok(None) };
    if pairs.is_empty() {
        return Ok(None);
    }
    let apqn = apqn(name)?;
    let mut change = KeysChange::default();
    for pair in pairs {
        let (register, value) = pair
            .split_once('=')
            .ok_or_else(|| ControlError::invalid(format!("`{pair}`: expected KEY=VALUE")))?;
        let register = match register {
            "new" => &mut change.new,
            "current" => &mut change.current,
            "old" => &mut change.old,
            _ => {
                let text =
                    format!("`{register}` is no register of master keys: expected new, current or old");
                return Err(ControlError::invalid(text));
            }
        };
        *register = Some(pattern(value)?);
    }
    there::queue(tree, apqn, task)?;
    self::change(tree, Change::fault(apqn, Fault::MasterKeys(change)), task);
    done()
}

fn set(tree: &Tree, pairs: &[&str], task: Doing) -> Answer {
    if pairs.is_empty() {
        return Ok(None);
    }
    let (mut qci, mut said) = (false, String::new());
    for pair in pairs {
        let key = pair.split('=').next().unwrap_or("");
        let command = if matches!(key, "na" | "nd" | "flags") { "qci" } else { "opt" };
        qci |= command == "qci";
        for one in changes(&format!("{command} {pair}"))? {
            change(tree, one, task);
        }
        said.extend(there::too_late(tree, key, task));
    }
    if qci {
        tree.host.bus.force_scan(task);
    }
    Ok(Some(said))
}

fn module(name: &str) -> Result<Module, ControlError> {
    Module::from_name(name).ok_or_else(|| {
        ControlError::invalid(format!(
            "`{name}` is no module: expected ap, zcrypt, zcrypt_cex4, mdev or vfio_ap"
        ))
    })
}

fn modules(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let (name, result) = match words {
        ["load", name, parameters @ ..] => {
            (name, tree.host.load_module(module(name)?, &parameters.join(" "), task))
        }
        ["unload", name] => (name, tree.host.unload_module(module(name)?, task)),
        _ => return Ok(None),
    };
    result.map_err(|error| {
        let remedy = module_remedy(tree, &error, name, task);
        ControlError::errno(Errno::from(error), format!("module {name}: {error}{remedy}"))
    })?;
    done()
}

/// What makes it possible to load or to unload a module.
fn module_remedy(tree: &Tree, error: &ModuleError, name: &str, held: Root) -> String {
    let Some(module) = Module::from_name(name) else { return String::new() };
    let loaded = tree.host.loaded(held);
    let names = |modules: Vec<Module>| modules.into_iter().map(Module::name).collect::<Vec<_>>().join(", ");
    match error {
        ModuleError::Loaded => format!("; to give it other parameters: `hw modules unload {name}` first"),
        ModuleError::NotLoaded => {
            let needed =
                module.needs().iter().copied().filter(|needed| !loaded.has(*needed)).collect::<Vec<_>>();
            if needed.is_empty() {
                format!("; `hw modules load {name}` loads it")
            } else {
                format!("; `hw modules load` these first: {}", names(needed))
            }
        }
        ModuleError::InUse => {
            let users =
                Module::ALL.into_iter().filter(|user| loaded.has(*user) && user.needs().contains(&module));
            let users = users.collect::<Vec<_>>();
            if users.is_empty() {
                "; stop the guests that have mediated devices open, and remove those, first".to_owned()
            } else {
                format!("; `hw modules unload` these first: {}", names(users))
            }
        }
        ModuleError::NoInstructions | ModuleError::Parameter(_) => String::new(),
    }
}

fn advance(tree: &Tree, words: &[&str], _: Doing) -> Answer {
    let [milliseconds] = words else { return Ok(None) };
    let parsed = milliseconds.parse().ok().filter(|time| *time <= YEAR);
    let time = parsed.ok_or_else(|| {
        ControlError::invalid(format!(
            "`{milliseconds}` is no number of milliseconds: expected digits, up to a year"
        ))
    })?;
    tree.controls.lets_pass.set(tree.controls.lets_pass.get().saturating_add(time));
    tree.host.clock().sleep(time);
    done()
}

fn raw(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    if words.is_empty() {
        return Ok(None);
    }
    for one in changes(&words.join(" "))? {
        change(tree, one, task);
    }
    done()
}

fn pqap(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let [name, registers @ ..] = words else { return Ok(None) };
    let Ok(registers) = <[&str; 3]>::try_from(registers) else { return Ok(None) };
    let guest = tree
        .host
        .vfio
        .guest_named(name, task)
        .ok_or_else(|| ControlError::errno(Errno::ENOENT, format!("no guest `{name}`")))?;
    let mut contents = [0; 3];
    for (word, text) in contents.iter_mut().zip(registers) {
        *word = match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        }
        .ok_or_else(|| ControlError::invalid(format!("`{text}` is no register content")))?;
    }
    let gr1 = tree.host.vfio.guest_pqap(&guest, contents[0], contents[1], contents[2], task);
    Ok(Some(format!("gr1={gr1:016x}\n")))
}
