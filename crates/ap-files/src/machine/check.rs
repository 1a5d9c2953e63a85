//! What a machine file means: ids that are possible, things that fit together.

use std::collections::BTreeMap;
use std::ops::Range;

use ap_sysfs::nearest::meant;
use ap_types::grammar::uuid;
use ap_types::{AdapterId, AdapterMask, DomainMask, Features, Mask, Matrix, Mode, Uuid};
use toml::Spanned;

use super::format::{self, File, SCHEMA};
use super::ids::{Ids, Item};
use super::masks::of_machine;
use super::model::{Adapter, Facilities, Guest, MachineFile, Mdev};
use super::queues;
use super::reserved;
use crate::error::{Mistakes, Problem};
use crate::kernel;
use crate::problem;
use crate::problem::twice;

/// How many queues a message names.
const MOST_NAMED: usize = 3;

/// The longest message that an info word can tell: 15 pages.
const LONGEST_MESSAGE: u32 = 15 * 4096;

/// The machine that `file` describes; `stem` names it if it doesn't say so. All mistakes are found at once, but for
/// those that may only follow from another one.
pub(super) fn machine(file: File, stem: &str) -> Result<MachineFile, Vec<Problem>> {
    problem::version(&file.schema, SCHEMA).map_err(|problem| vec![problem])?;
    let mut mistakes = Mistakes::default();
    let kernel = file.kernel.as_ref().map(kernel::choice).transpose();
    let kernel = mistakes.or(kernel, None).unwrap_or_default();
    let secure = file.facilities.se.as_ref().is_some_and(|se| *se.get_ref());
    let named = mistakes.ok(features(file.features.as_deref(), secure));
    let features = named.unwrap_or(Features::APXA | Features::APSB);
    if let (Some(se), false) = (file.facilities.se.as_ref(), features.contains(Features::APSB) || !secure) {
        let problem =
            Problem::new(se.span(), "Secure Execution without APSB", "expected APSB among `features`");
        mistakes.0.push(problem.help("leave `features` out, or add \"APSB\""));
    }
    let limits = Limits::of(&file, features);
    let usage = mistakes.ok(mask(file.domains.as_ref(), &limits.domains));
    let domains = usage.flatten().unwrap_or(DomainMask::EMPTY);
    let control_domains = mistakes.or(mask(file.control_domains.as_ref(), &limits.control_domains), None);
    let control_domains = control_domains.unwrap_or(domains);
    // Where the masks are wrong nobody knows what they would leave to mdevs: everything, then.
    let apmask =
        mistakes.or(file.apmask.as_ref().map_or(Ok(AdapterMask::ALL), of_machine), AdapterMask::EMPTY);
    let aqmask = mistakes.or(file.aqmask.as_ref().map_or(Ok(DomainMask::ALL), of_machine), DomainMask::EMPTY);
    let before = mistakes.0.len();
    let adapters = adapters(&file.adapter, &limits, &mut mistakes);
    // Of an adapter or a domain that is wrong nobody knows which queues it would have.
    let whole = usage.is_some() && mistakes.0.len() == before;
    let queues = if whole {
        queues::queues(&file.queue, &adapters, domains, secure, &mut mistakes)
    } else {
        Vec::new()
    };
    let before = mistakes.0.len();
    let reserved = Matrix { adapters: apmask, domains: aqmask, ..Matrix::default() };
    let mut mdevs = mdevs(&file.mdev, &limits, &mut mistakes);
    reserved::check(&mut mdevs, &reserved, (file.apmask.is_some(), file.aqmask.is_some()), &mut mistakes);
    let mdevs: Vec<Mdev> = mdevs.into_iter().map(|(mdev, _)| mdev).collect();
    // Of an mdev that is wrong nobody knows whether it would be there.
    let guests =
        if mistakes.0.len() == before { guests(&file.guest, &mdevs, &mut mistakes) } else { Vec::new() };
    if !mistakes.0.is_empty() {
        return Err(mistakes.0);
    }
    let format::Facilities { qci, apft, interrupts, instr, se: _, vm } = file.facilities;
    Ok(MachineFile {
        name: file.name.unwrap_or_else(|| stem.to_owned()),
        kernel,
        features,
        facilities: Facilities {
            qci,
            apft,
            interrupts,
            instructions: instr,
            secure_execution: secure,
            zvm: vm,
        },
        max_adapter: limits.adapters.max,
        max_domain: limits.domains.max,
        domains,
        control_domains,
        apmask,
        aqmask,
        adapters,
        queues,
        mdevs,
        guests,
    })
}

fn features(names: Option<&[Spanned<String>]>, secure: bool) -> Result<Features, Problem> {
    let Some(names) = names else {
        let bound = if secure { Features::APSB } else { Features::NONE };
        return Ok(Features::APSC | Features::APXA | Features::QACT | Features::RC8A | bound);
    };
    let mut features = Features::NONE;
    for name in names {
        let known = Features::NAMED.iter().find(|(_, known)| known == name.get_ref());
        let Some((feature, _)) = known else {
            let known: Vec<&str> = Features::NAMED.iter().map(|(_, name)| *name).collect();
            let near = meant(name.get_ref(), known.iter().copied());
            let near = near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
            let message = format!("unknown feature `{}`", name.get_ref());
            let expected = format!("expected one of {}{near}", known.join(", "));
            return Err(Problem::new(name.span(), message, expected));
        };
        if features.contains(*feature) {
            return Err(twice(name.span(), &format!("the feature {}", name.get_ref())));
        }
        features |= *feature;
    }
    Ok(features)
}

/// How high ids may be, and what to say if they are higher.
struct Limit {
    what: &'static str,
    max: u8,
    /// The highest that can exist; lower than `max` without APXA.
    usable: u8,
}

struct Limits {
    adapters: Limit,
    domains: Limit,
    control_domains: Limit,
}

impl Limits {
    fn of(file: &File, features: Features) -> Limits {
        let apxa = features.contains(Features::APXA);
        let max =
            |given: &Option<Spanned<u8>>, default: u8| given.as_ref().map_or(default, |max| *max.get_ref());
        let limit = |what, max: u8, without: u8| Limit {
            what,
            max,
            usable: if apxa { max } else { max.min(without) },
        };
        let adapters = limit("adapter", max(&file.max_adapter, 63), 63);
        let domains = limit("domain", max(&file.max_domain, 84), 15);
        let control_domains = limit("control domain", domains.max, 15);
        Limits { adapters, domains, control_domains }
    }
}

impl Limit {
    fn check(&self, item: Item, span: Range<usize>) -> Result<(), Problem> {
        if item.last <= self.usable {
            return Ok(());
        }
        let Limit { what, max, usable } = self;
        let problem = Problem::new(
            span,
            format!("impossible {what} {}", item.last),
            format!("expected at most {usable}"),
        );
        let key = if *what == "adapter" { "max_adapter" } else { "max_domain" };
        Err(problem.help(if usable < max {
            "without the feature APXA there are only adapters 0-63 and domains 0-15".to_owned()
        } else {
            format!("raise `{key}` (at most 255) or leave it out")
        }))
    }
}

/// The ids of a place, in order, each with where it was said.
fn expand(ids: &Spanned<Ids>, limit: &Limit) -> Result<Vec<(u8, Range<usize>)>, Problem> {
    let mut all = Vec::new();
    let mut add = |item: Item, span: Range<usize>| {
        limit.check(item, span.clone())?;
        all.extend((item.first..=item.last).map(|id| (id, span.clone())));
        Ok(())
    };
    match ids.get_ref() {
        Ids::One(item) => add(*item, ids.span())?,
        Ids::Many(items) => items.iter().try_for_each(|item| add(*item.get_ref(), item.span()))?,
    }
    let mut seen = [false; 256];
    for (id, span) in &all {
        if std::mem::replace(&mut seen[usize::from(*id)], true) {
            return Err(twice(span.clone(), &format!("{} {id}", limit.what)));
        }
    }
    Ok(all)
}

fn mask<M: Mask + FromIterator<M::Id>>(
    ids: Option<&Spanned<Ids>>,
    limit: &Limit,
) -> Result<Option<M>, Problem> {
    let Some(ids) = ids else { return Ok(None) };
    Ok(Some(expand(ids, limit)?.into_iter().map(|(id, _)| M::Id::from(id)).collect()))
}

fn adapters(files: &[Spanned<format::Adapter>], limits: &Limits, mistakes: &mut Mistakes) -> Vec<Adapter> {
    let mut all: BTreeMap<u8, Adapter> = BTreeMap::new();
    for file in files {
        for (adapter, span) in mistakes.or(alike(file, limits), Vec::new()) {
            let id = adapter.id.0;
            if all.insert(id, adapter).is_some() {
                mistakes.0.push(twice(span, &format!("adapter {id}")));
                break;
            }
        }
    }
    all.into_values().collect()
}

/// The adapters of one table, each with where its id was said.
fn alike(file: &Spanned<format::Adapter>, limits: &Limits) -> Result<Vec<(Adapter, Range<usize>)>, Problem> {
    let span = heading(file.span());
    let file = file.get_ref();
    let ids = match (&file.id, &file.ids) {
        (Some(ids), None) | (None, Some(ids)) => ids,
        (Some(_), Some(ids)) => {
            return Err(Problem::new(ids.span(), "both `id` and `ids`", "expected only one of them"));
        }
        (None, None) => {
            return Err(Problem::new(span, "an adapter without id", "expected `id` or `ids` here"));
        }
    };
    let ids = expand(ids, &limits.adapters)?;
    let common = adapter(file, span)?;
    if let (Some(serial), [_, _, ..]) = (&file.serial, ids.as_slice()) {
        let problem =
            Problem::new(serial.span(), "one serial number for several adapters", "expected one adapter");
        return Err(problem.help("leave `serial` out, or give each adapter its own table"));
    }
    let own = |(id, span): (u8, Range<usize>)| {
        let serial = common.serial.clone();
        let serial = if serial.is_empty() { format!("93AADX{id:02X}") } else { serial };
        (Adapter { id: AdapterId(id), serial, ..common.clone() }, span)
    };
    Ok(ids.into_iter().map(own).collect())
}

/// The beginning of a table, for problems that concern all of it.
fn heading(span: Range<usize>) -> Range<usize> {
    span.start..span.end.min(span.start + 1)
}

/// An adapter without id; without serial number, too, if it is to be made from the id.
fn adapter(file: &format::Adapter, span: Range<usize>) -> Result<Adapter, Problem> {
    let (hwtype, mode) = kind(file, span)?;
    let functions = file.functions.as_ref().map(|text| {
        let digits = text.get_ref().strip_prefix("0x").or_else(|| text.get_ref().strip_prefix("0X"));
        let word = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let help = "\"0x92000000\" is a CCA coprocessor";
        word.ok_or_else(|| {
            Problem::new(text.span(), "not a functions word", "expected a hex string of up to 8 digits")
                .help(help)
        })
    });
    let depth = file.depth.as_ref().map_or(Ok(8), |depth| match depth.get_ref() {
        1..=16 => Ok(*depth.get_ref()),
        other => Err(Problem::new(depth.span(), format!("impossible depth {other}"), "expected 1-16")),
    })?;
    let usual = if hwtype >= 14 { 57344 } else { 12288 };
    let max_message = file.max_message.as_ref().map_or(Ok(usual), |bytes| match *bytes.get_ref() {
        size @ 4096..=LONGEST_MESSAGE if size % 4096 == 0 => Ok(size),
        other => {
            let expected = format!("expected a multiple of 4096, at most {LONGEST_MESSAGE}");
            Err(Problem::new(bytes.span(), format!("impossible message size {other}"), expected))
        }
    })?;
    let serial = file.serial.as_ref().map_or(Ok(String::new()), |serial| {
        let text = serial.get_ref();
        let fits = (1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        let expected = "expected 1 to 8 letters and digits";
        if fits {
            Ok(text.clone())
        } else {
            Err(Problem::new(serial.span(), "not a serial number", expected))
        }
    })?;
    Ok(Adapter {
        id: AdapterId(0),
        hwtype,
        mode,
        functions: functions.transpose()?,
        depth,
        max_message,
        serial,
    })
}

fn kind(file: &format::Adapter, span: Range<usize>) -> Result<(u8, Mode), Problem> {
    match (&file.kind, &file.hwtype) {
        (Some(kind), None) => {
            if file.mode.is_some() {
                return Err(Problem::new(
                    kind.span(),
                    "both `type` and `mode`",
                    "expected `hwtype` with `mode`, or this alone",
                ));
            }
            let text = kind.get_ref();
            parse_type(text).ok_or_else(|| {
                let message = format!("unknown adapter type `{text}`");
                let problem =
                    Problem::new(kind.span(), message, "expected CEX4 to CEX8 and A, C or P: \"CEX8C\"");
                // A letter of the other case is what is mistyped most.
                let upper = text.to_uppercase();
                match parse_type(&upper) {
                    Some(_) => problem.help(format!("did you mean \"{upper}\"?")),
                    None => problem.help("other types: `hwtype = 15` and `mode = \"ep11\"`"),
                }
            })
        }
        (None, Some(hwtype)) => {
            if *hwtype.get_ref() == 0 {
                return Err(Problem::new(hwtype.span(), "impossible hardware type 0", "expected 1-255"));
            }
            match (file.mode, &file.functions) {
                (Some(mode), _) => Ok((*hwtype.get_ref(), mode_of(mode))),
                (None, Some(_)) => Ok((*hwtype.get_ref(), Mode::None)),
                (None, None) => {
                    let help = "modes are \"accel\", \"cca\", \"ep11\" and \"none\"";
                    Err(Problem::new(hwtype.span(), "a hardware type without mode", "expected a `mode`, too")
                        .help(help))
                }
            }
        }
        (Some(kind), Some(_)) => {
            Err(Problem::new(kind.span(), "both `type` and `hwtype`", "expected only one of them"))
        }
        (None, None) => {
            Err(Problem::new(span, "an adapter without type", "expected `type = \"CEX8C\"` here"))
        }
    }
}

fn mode_of(mode: format::Mode) -> Mode {
    match mode {
        format::Mode::Accel => Mode::Accelerator,
        format::Mode::Cca => Mode::Cca,
        format::Mode::Ep11 => Mode::Ep11,
        format::Mode::None => Mode::None,
    }
}

/// `CEX8C` is type 14, a CCA coprocessor.
#[must_use]
pub(super) fn parse_type(text: &str) -> Option<(u8, Mode)> {
    let &[b'C', b'E', b'X', generation @ b'4'..=b'8', letter] = text.as_bytes() else { return None };
    let modes = [Mode::Accelerator, Mode::Cca, Mode::Ep11];
    let mode = modes.into_iter().find(|mode| mode.letter() == Some(char::from(letter)))?;
    Some((generation - b'0' + 6, mode))
}

/// The mdevs, each with where its name was said.
fn mdevs(
    files: &[Spanned<format::Mdev>],
    limits: &Limits,
    mistakes: &mut Mistakes,
) -> Vec<(Mdev, Range<usize>)> {
    let mut all: Vec<(Mdev, Range<usize>)> = Vec::new();
    for file in files {
        let checked = mdev(file.get_ref(), limits, &all);
        all.extend(mistakes.ok(checked));
    }
    all
}

/// One mdev, beside those before it.
fn mdev(
    file: &format::Mdev,
    limits: &Limits,
    all: &[(Mdev, Range<usize>)],
) -> Result<(Mdev, Range<usize>), Problem> {
    let span = file.uuid.span();
    let name = named(&file.uuid)?;
    if all.iter().any(|(mdev, _)| mdev.uuid == name) {
        return Err(twice(span, &format!("mdev {name}")));
    }
    let matrix = Matrix {
        adapters: mask(file.adapters.as_ref(), &limits.adapters)?.unwrap_or_default(),
        domains: mask(file.domains.as_ref(), &limits.domains)?.unwrap_or_default(),
        control_domains: mask(file.control_domains.as_ref(), &limits.control_domains)?.unwrap_or_default(),
    };
    if let Some((other, _)) = all.iter().find(|(mdev, _)| mdev.matrix.shares_queue(&matrix)) {
        return Err(shares(span, &other.matrix.shared(&matrix), &other.uuid));
    }
    Ok((Mdev { uuid: name, matrix, control_by_default: file.control_domains.is_none() }, span))
}

fn guests(files: &[format::Guest], mdevs: &[Mdev], mistakes: &mut Mistakes) -> Vec<Guest> {
    let mut all: Vec<Guest> = Vec::new();
    for file in files {
        let checked = guest(file, mdevs, &all);
        all.extend(mistakes.ok(checked));
    }
    all
}

/// One guest, beside those before it.
fn guest(file: &format::Guest, mdevs: &[Mdev], all: &[Guest]) -> Result<Guest, Problem> {
    let name = file.name.get_ref();
    if !Guest::is_name(name) {
        let message = format!("`{name}` is no name of a guest");
        return Err(Problem::new(file.name.span(), message, "expected a word without blanks: \"g1\""));
    }
    if all.iter().any(|guest| guest.name == *name) {
        return Err(twice(file.name.span(), &format!("guest {name}")));
    }
    let mdev = named(&file.mdev)?;
    if !mdevs.iter().any(|known| known.uuid == mdev) {
        let message = format!("there is no mdev {mdev} in this file");
        return Err(Problem::new(file.mdev.span(), message, "expected the `uuid` of an `[[mdev]]`"));
    }
    if let Some(other) = all.iter().find(|guest| guest.mdev == mdev) {
        let message = format!("guest {} has mdev {mdev} open already", other.name);
        return Err(Problem::new(file.mdev.span(), message, "expected an mdev that no other guest has"));
    }
    Ok(Guest { name: name.clone(), mdev })
}

/// Two mdevs have the same queues.
pub(crate) fn shares(span: Range<usize>, queues: &Matrix, other: &Uuid) -> Problem {
    let names: Vec<String> = queues.queues().take(MOST_NAMED).map(|queue| queue.to_string()).collect();
    let (subject, verb) = match queues.queue_count() {
        1 => (format!("queue {}", names.join("")), "is"),
        more if more > MOST_NAMED => {
            (format!("queues {} and {} more", names.join(", "), more - MOST_NAMED), "are")
        }
        _ => (format!("queues {}", names.join(", ")), "are"),
    };
    Problem::new(
        span,
        format!("{subject} {verb} in mdev {other}, too"),
        "expected queues that no other mdev has",
    )
}

pub(crate) fn named(text: &Spanned<String>) -> Result<Uuid, Problem> {
    let found = text.get_ref();
    let expected = "expected a UUID: \"62177883-f1bb-47f0-914d-32a22e3a8804\"";
    if found.len() != 36 {
        return Err(Problem::new(text.span(), format!("`{found}` is not a UUID"), expected));
    }
    uuid(found.as_bytes()).map_err(|error| Problem::new(text.span(), error.to_string(), expected))
}
