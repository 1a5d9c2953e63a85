//! Reading a host through its tree, and reading again what was touched.

use ap_apply::beware::notes;
use ap_apply::import::{ImportError, few, import, masks_in_use};
use ap_apply::tree::{Fault, Kind, Tree};
use ap_files::machine::QueueState;
use ap_plan::state::{Bindings, Card, Driver};
use ap_types::grammar::mask_parameter;
use ap_types::{AdapterId, Apqn, DomainMask, Mask, Matrix, Mode};

use crate::host::{CardFacts, Host, Marks};
use crate::touched::Touched;

const BUS: &str = "bus/ap";
const CONTROL: &str = "kernel/debug/apmatrix";

/// Reads a host. `name` is how it is called if it does not say so itself.
///
/// # Errors
/// [`ImportError`].
pub fn read(tree: &mut dyn Tree, name: &str) -> Result<Host, ImportError> {
    let imported = import(tree)?;
    let (machine, state) = (imported.machine, imported.state);
    let emulated = tree.list(CONTROL).is_ok();
    let configured = Matrix {
        adapters: machine.adapters.iter().map(|adapter| adapter.id).collect(),
        domains: machine.domains,
        control_domains: machine.control_domains,
    };
    let mut host = Host {
        name: if emulated { machine.name } else { name.to_owned() },
        kernel: emulated.then(|| machine.kernel.kernel.to_string()),
        state,
        configured,
        cards: Default::default(),
        marks: Marks::default(),
        notes: imported.notes,
    };
    for queue in &machine.queues {
        match queue.state {
            QueueState::Deconfigured => drop(host.marks.deconfigured.insert(queue.apqn)),
            QueueState::Checkstopped => drop(host.marks.checkstopped.insert(queue.apqn)),
            QueueState::Ok | QueueState::Absent | QueueState::Answers(_) => {}
        }
    }
    for id in machine.adapters.iter().map(|adapter| adapter.id) {
        let facts = card(tree, id);
        host.cards.insert(id, facts);
    }
    let bound = host.state.queues.clone();
    for apqn in bound.host.iter() {
        if flag(tree, &queue_path(apqn, "online")) == Some(false) {
            host.marks.offline.insert(apqn);
        }
    }
    for apqn in bound.host.iter().chain(bound.vfio.iter()) {
        if resets(tree, apqn) {
            host.marks.resetting.insert(apqn);
        }
    }
    Ok(host)
}

/// Reads again what was touched, and what is few: masks, mediated devices, guests, queues that were resetting.
///
/// # Errors
/// [`ImportError`]; then what was read before is no host any more.
pub fn refresh(tree: &mut dyn Tree, host: &mut Host, touched: &Touched) -> Result<(), ImportError> {
    if touched.everything {
        *host = read(tree, &host.name)?;
        return Ok(());
    }
    let before = host.state.masks;
    masks(tree, host)?;
    if host.state.kernel.driver_override && host.state.masks != before {
        host.state.masks_in_use = masks_in_use(tree, &host.state.masks);
    }
    for id in &touched.cards {
        again_card(tree, host, *id);
    }
    let resetting: Vec<Apqn> = host.marks.resetting.iter().collect();
    for apqn in touched.queues.iter().copied().chain(resetting) {
        if !touched.cards.contains(&apqn.adapter) {
            again_queue(tree, host, apqn);
        }
    }
    let few = few(tree, &host.configured, &host.state.queues)?;
    match few.mdevs {
        Some(all) => (host.state.vfio_ap, host.state.mdevs) = (true, all),
        None => {
            host.state.vfio_ap = false;
            host.state.mdevs.clear();
        }
    }
    host.notes = [few.notes, notes(&host.state)].concat();
    Ok(())
}

/// apmask and aqmask, and what the machine gives.
fn masks(tree: &mut dyn Tree, host: &mut Host) -> Result<(), ImportError> {
    let told = |text: String| text.trim_end().strip_prefix("0x").map(|_| text.trim_end().to_owned());
    fn mask<M: Mask>(text: Option<String>) -> Option<M> {
        text.map(|text| mask_parameter(text.as_bytes()))
    }
    let mut read = |name: &str| -> Result<Option<String>, Fault> {
        match tree.read(&format!("{BUS}/{name}")) {
            Ok(text) => Ok(told(text)),
            Err(fault) if fault.kind == Kind::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    };
    if let Some(adapters) = mask(read("apmask")?) {
        host.state.masks.adapters = adapters;
    }
    if let Some(domains) = mask(read("aqmask")?) {
        host.state.masks.domains = domains;
    }
    // A machine without QCI tells none of these; plans then go without a configuration, too.
    if let Some(domains) = mask::<DomainMask>(read("ap_usage_domain_mask")?) {
        host.configured.domains = domains;
        host.configured.control_domains = mask(read("ap_control_domain_mask")?).unwrap_or(domains);
        host.state.config.domains = host.configured.domains;
        host.state.config.control_domains = host.configured.control_domains;
    }
    Ok(())
}

/// A card, and all queues that it could have.
fn again_card(tree: &mut dyn Tree, host: &mut Host, id: AdapterId) {
    let there = tree.list(&format!("devices/ap/card{id}"));
    let told = host.state.config_told();
    host.state.cards_off.remove(id);
    host.state.cards_checkstopped.remove(id);
    host.state.switched_off.remove(id);
    let listed = match there {
        Ok(names) => {
            let facts = card(tree, id);
            let hwtype = tree.read(&format!("devices/ap/card{id}/hwtype")).unwrap_or_default();
            let mode = match facts.mode.as_deref() {
                Some("accel") => Mode::Accelerator,
                Some("cca") => Mode::Cca,
                Some("ep11") => Mode::Ep11,
                _ => Mode::None,
            };
            if facts.config == Some(false) {
                host.state.cards_off.insert(id);
            } else if facts.checkstopped == Some(true) {
                host.state.cards_off.insert(id);
                host.state.cards_checkstopped.insert(id);
            } else if facts.online == Some(false) {
                host.state.switched_off.insert(id);
            }
            host.state.cards.insert(id, Card { hwtype: hwtype.trim().parse().unwrap_or(0), mode });
            host.cards.insert(id, facts);
            host.configured.adapters.insert(id);
            if told {
                host.state.config.adapters.insert(id);
            }
            names.iter().filter_map(|name| name.parse::<Apqn>().ok()).map(|apqn| apqn.domain).collect()
        }
        Err(_) => {
            host.state.cards.remove(&id);
            host.cards.remove(&id);
            host.configured.adapters.remove(id);
            host.state.config.adapters.remove(id);
            DomainMask::EMPTY
        }
    };
    let bound = &host.state.queues;
    let known = bound.host.row(id) | bound.vfio.row(id) | bound.none.row(id);
    for domain in listed | known {
        again_queue(tree, host, Apqn::new(id, domain));
    }
}

fn again_queue(tree: &mut dyn Tree, host: &mut Host, apqn: Apqn) {
    let state = &mut host.state;
    let Bindings { host: bound, vfio, none } = &mut state.queues;
    for set in [bound, vfio, none, &mut state.off, &mut state.checkstopped] {
        set.remove(apqn);
    }
    host.marks.forget(apqn);
    state.overrides.set(apqn, None);
    let driver = tree.link(&queue_path(apqn, "driver")).ok();
    if driver.is_none() && tree.list(&queue_path(apqn, "")).is_err() {
        return;
    }
    match driver.as_deref().map(|target| target.rsplit('/').next().unwrap_or_default()) {
        None => drop(state.queues.none.insert(apqn)),
        Some("vfio_ap") => drop(state.queues.vfio.insert(apqn)),
        Some(_) => {
            state.queues.host.insert(apqn);
            if flag(tree, &queue_path(apqn, "online")) == Some(false) {
                host.marks.offline.insert(apqn);
            }
        }
    }
    if flag(tree, &queue_path(apqn, "config")) == Some(false) {
        host.marks.deconfigured.insert(apqn);
        state.off.insert(apqn);
    } else if flag(tree, &queue_path(apqn, "chkstop")) == Some(true) {
        host.marks.checkstopped.insert(apqn);
        state.off.insert(apqn);
        state.checkstopped.insert(apqn);
    }
    if driver.is_some() && resets(tree, apqn) {
        host.marks.resetting.insert(apqn);
    }
    if state.kernel.driver_override {
        match text(tree, &queue_path(apqn, "driver_override")).as_deref() {
            None | Some("(null)") => {}
            Some(name) => match Driver::from_name(name) {
                Some(driver) => state.overrides.set(apqn, Some(driver)),
                None => drop(state.overrides.other.insert(apqn)),
            },
        }
    }
}

fn card(tree: &mut dyn Tree, id: AdapterId) -> CardFacts {
    let path = |name: &str| format!("devices/ap/card{id}/{name}");
    let kind = text(tree, &path("type"));
    let uevent = text(tree, &path("uevent")).unwrap_or_default();
    let told = uevent.lines().find_map(|line| line.strip_prefix("MODE="));
    // Older kernels don't tell; the type's letter does.
    let mode = told.or_else(|| match kind.as_deref()?.chars().last()? {
        'A' => Some("accel"),
        'C' => Some("cca"),
        'P' => Some("ep11"),
        _ => None,
    });
    CardFacts {
        mode: mode.map(str::to_owned),
        kind,
        serial: text(tree, &path("serialnr")),
        online: flag(tree, &path("online")),
        config: flag(tree, &path("config")),
        checkstopped: flag(tree, &path("chkstop")),
    }
}

fn queue_path(apqn: Apqn, name: &str) -> String {
    format!("devices/ap/card{}/{apqn}/{name}", apqn.adapter)
}

fn resets(tree: &mut dyn Tree, apqn: Apqn) -> bool {
    text(tree, &queue_path(apqn, "reset")).is_some_and(|text| text.starts_with("Reset in progress"))
}

fn text(tree: &mut dyn Tree, path: &str) -> Option<String> {
    let text = tree.read(path).ok()?;
    Some(text.trim_end_matches('\n').to_owned()).filter(|text| !text.is_empty())
}

fn flag(tree: &mut dyn Tree, path: &str) -> Option<bool> {
    match text(tree, path)?.as_str() {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}
