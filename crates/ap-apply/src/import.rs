//! Reading a host: what its tree shows becomes a machine file, and the state that plans go by.
//!
//! It only reads. One attribute asks the adapter (`serialnr`); it is read only of cards that have a queue of the host's
//! own driver, which can answer without a scan.

use std::collections::BTreeMap;

use ap_files::MachineFile;
use ap_files::machine::{Adapter, Facilities, Guest, Mdev as FileMdev, Queue, QueueState};
use ap_machine::functions_of;
use ap_plan::state::{Bindings, Driver, Limits, Overrides};
use ap_plan::{Holder, Masks, Mdev, State};
use ap_task::{Flag, Version};
use ap_types::grammar::{ap_config, mask_parameter, uuid};
use ap_types::{
    AdapterId, AdapterMask, Apqn, DomainId, DomainMask, Features, Mask, Matrix, Mode, QueueSet, Uuid,
};

use crate::beware::{by_override, notes};
use crate::tree::{Fault, Kind, Tree};

const BUS: &str = "bus/ap";
const MATRIX: &str = "devices/vfio_ap/matrix";
const CONTROL: &str = "kernel/debug/apmatrix";

/// From this size on a list of queues may have been cut: a file holds 4096 bytes.
const MOST_LISTED: usize = 4000;

/// A host as it was read.
#[derive(Clone, Debug)]
pub struct Imported {
    /// As a machine file: what boots as this host.
    pub machine: MachineFile,
    /// As plans see it: also who has an mdev open, and queues that are bound otherwise than the masks say.
    pub state: State,
    /// What a machine file cannot say, and what to beware of, a sentence each.
    pub notes: Vec<String>,
}

/// Why a host cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// There is no AP bus.
    #[error("there is no AP bus at {BUS}")]
    NoBus,
    /// A file that has to be there cannot be read.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// A file says what it never says.
    #[error("{path}: `{text}` is not what this file says on any kernel that is known")]
    Strange {
        /// The file.
        path: String,
        /// What it says.
        text: String,
    },
}

/// Reads a host.
///
/// # Errors
/// [`ImportError`].
pub fn import(tree: &mut dyn Tree) -> Result<Imported, ImportError> {
    let devices = match tree.list(&format!("{BUS}/devices")) {
        Err(fault) if fault.kind == Kind::NotFound => return Err(ImportError::NoBus),
        devices => devices?,
    };
    let mut reader = Reader { tree, notes: Vec::new() };
    let queues: Vec<Apqn> = devices.iter().filter_map(|name| name.parse().ok()).collect();
    let cards: Vec<AdapterId> = devices
        .iter()
        .filter_map(|name| u8::from_str_radix(name.strip_prefix("card")?, 16).ok())
        .map(AdapterId)
        .collect();
    let bound = reader.bindings(&queues)?;
    let mut machine = reader.machine(&cards, &queues, &bound)?;
    let vfio_ap = reader.there(&format!("{MATRIX}/mdev_supported_types"));
    let configured = Matrix {
        adapters: machine.adapters.iter().map(|adapter| adapter.id).collect(),
        domains: machine.domains,
        control_domains: machine.control_domains,
    };
    let mdevs = if vfio_ap { reader.mdevs(&configured, &bound)? } else { BTreeMap::new() };
    let state = reader.state(&machine, bound, mdevs, vfio_ap)?;
    for (uuid, mdev) in &state.mdevs {
        if !by_override(&state, mdev) {
            machine.mdevs.push(FileMdev { uuid: *uuid, matrix: mdev.matrix, control_by_default: false });
            let guest = mdev.holder.as_ref().and_then(|holder| holder.guest.clone());
            let known = |name: &str| machine.guests.iter().any(|guest| guest.name == name);
            if let Some(name) = guest.filter(|name| Guest::is_name(name) && !known(name)) {
                machine.guests.push(Guest { name, mdev: *uuid });
            }
        }
    }
    reader.notes.extend(notes(&state));
    Ok(Imported { machine, state, notes: reader.notes })
}

/// What is few on a host, and read again more often than the rest.
#[derive(Clone, Debug)]
pub struct Few {
    /// The mediated devices; `None` without vfio_ap.
    pub mdevs: Option<BTreeMap<Uuid, Mdev>>,
    /// What is noted while they are read, and of adapters without a card.
    pub notes: Vec<String>,
}

/// The mediated devices of a host that was read before: `configured` is what the machine gives it, `bound` whose its
/// queues are now.
///
/// # Errors
/// [`ImportError`].
pub fn few(tree: &mut dyn Tree, configured: &Matrix, bound: &Bindings) -> Result<Few, ImportError> {
    let mut reader = Reader { tree, notes: Vec::new() };
    reader.configured_without_card(&configured.adapters)?;
    let vfio_ap = reader.there(&format!("{MATRIX}/mdev_supported_types"));
    let mdevs = if vfio_ap { Some(reader.mdevs(configured, bound)?) } else { None };
    Ok(Few { mdevs, notes: reader.notes })
}

struct Reader<'a> {
    tree: &'a mut dyn Tree,
    notes: Vec<String>,
}

impl Reader<'_> {
    /// A file that has to be there.
    fn text(&mut self, path: &str) -> Result<String, ImportError> {
        Ok(self.tree.read(path)?.trim_end_matches('\n').to_owned())
    }

    /// A file that need not be there: older kernels, other drivers, a device that is just going.
    fn maybe(&mut self, path: &str) -> Option<String> {
        self.tree.read(path).ok().map(|text| text.trim_end_matches('\n').to_owned())
    }

    fn there(&mut self, directory: &str) -> bool {
        self.tree.list(directory).is_ok()
    }

    fn number(&mut self, path: &str) -> Result<u8, ImportError> {
        let text = self.text(path)?;
        text.trim().parse().map_err(|_| ImportError::Strange { path: path.to_owned(), text })
    }

    /// A mask; `None` where the machine tells none.
    fn mask<M: Mask>(&mut self, path: &str) -> Result<Option<M>, ImportError> {
        let text = self.text(path)?;
        match text.strip_prefix("0x").filter(|digits| digits.len() == 64) {
            Some(_) => Ok(Some(mask_parameter(text.as_bytes()))),
            None if text == "not supported" => Ok(None),
            None => Err(ImportError::Strange { path: path.to_owned(), text }),
        }
    }

    /// Who has which queue, by the directories of the drivers: two lists instead of a link per queue.
    fn bindings(&mut self, queues: &[Apqn]) -> Result<Bindings, ImportError> {
        let mut none: QueueSet = queues.iter().copied().collect();
        let (mut host, mut vfio) = (QueueSet::new(), QueueSet::new());
        for driver in self.tree.list(&format!("{BUS}/drivers"))? {
            let set = if driver == "vfio_ap" { &mut vfio } else { &mut host };
            for name in self.tree.list(&format!("{BUS}/drivers/{driver}"))? {
                if let Ok(apqn) = name.parse::<Apqn>()
                    && none.remove(apqn)
                {
                    set.insert(apqn);
                }
            }
        }
        Ok(Bindings { host, vfio, none })
    }

    fn machine(
        &mut self,
        cards: &[AdapterId],
        queues: &[Apqn],
        bound: &Bindings,
    ) -> Result<MachineFile, ImportError> {
        let features = self.maybe(&format!("{BUS}/features")).unwrap_or_else(|| "-".to_owned());
        let known = Features::NAMED.iter().filter(|(_, name)| features.split(' ').any(|word| word == *name));
        let features_of = known.fold(Features::NONE, |all, (feature, _)| all | *feature);
        let qci = self.mask::<DomainMask>(&format!("{BUS}/ap_usage_domain_mask"))?;
        let control = self.mask::<DomainMask>(&format!("{BUS}/ap_control_domain_mask"))?;
        let domains = qci.unwrap_or_else(|| queues.iter().map(|apqn| apqn.domain).collect());
        // Without extended addressing there are no others, whatever the masks say.
        let extended = qci.is_none() || features_of.contains(Features::APXA);
        let usable = if extended { DomainMask::ALL } else { DomainMask::up_to(15) };
        let (domains, control) = (domains & usable, control.map(|control| control & usable));
        let interrupts = self.maybe(&format!("{BUS}/ap_interrupts")).is_some_and(|text| text == "1");
        let mut adapters = Vec::new();
        for id in cards {
            adapters.extend(self.adapter(*id, bound)?);
        }
        self.configured_without_card(&adapters.iter().map(|adapter| adapter.id).collect())?;
        let apmask = self.mask(&format!("{BUS}/apmask"))?.unwrap_or(AdapterMask::ALL);
        let aqmask = self.mask(&format!("{BUS}/aqmask"))?.unwrap_or(DomainMask::ALL);
        let queues_there = queues.to_vec();
        let queues = self.queues(&adapters, domains, queues);
        Ok(MachineFile {
            kernel: self.kernel(&queues_there).into(),
            name: self.name(),
            features: if qci.is_some() { features_of } else { Features::APSC | Features::APXA },
            facilities: Facilities {
                qci: qci.is_some(),
                apft: true,
                interrupts,
                instructions: true,
                secure_execution: false,
                zvm: false,
            },
            max_adapter: self.number(&format!("{BUS}/ap_max_adapter_id"))?,
            max_domain: self.number(&format!("{BUS}/ap_max_domain_id"))?,
            domains,
            control_domains: control.unwrap_or(domains),
            apmask,
            aqmask,
            adapters,
            queues,
            mdevs: Vec::new(),
            guests: Vec::new(),
        })
    }

    /// The emulated machine tells its kernel; of a real one it is seen whether queues have overrides, and a kernel that
    /// gives them asks about added ids with all of the other mask.
    fn kernel(&mut self, queues: &[Apqn]) -> ap_task::Kernel {
        let told = self.maybe(&format!("{CONTROL}/state"));
        if let Some(kernel) =
            told.and_then(|text| ap_files::state::kernel(&text)).and_then(|text| kernel_of(&text))
        {
            return kernel;
        }
        let has = queues.first().is_some_and(|apqn| {
            self.maybe(&format!("devices/ap/card{}/{apqn}/driver_override", apqn.adapter)).is_some()
        });
        if has { Version::V7_1.into() } else { ap_task::Kernel::default() }
    }

    /// The emulated machine tells its name; a real one has none that the bus knows.
    fn name(&mut self) -> String {
        let state = self.maybe(&format!("{CONTROL}/state"));
        state.and_then(|text| ap_files::state::machine(&text)).unwrap_or_else(|| "imported".to_owned())
    }

    fn configured_without_card(&mut self, cards: &AdapterMask) -> Result<(), ImportError> {
        let Some(mask) = self.mask::<AdapterMask>(&format!("{BUS}/ap_adapter_mask"))? else { return Ok(()) };
        for id in mask - *cards {
            self.notes.push(format!("adapter {} is configured and shows no card: it is left out", id.0));
        }
        Ok(())
    }

    /// An adapter; `None` if its card goes while it is read.
    fn adapter(&mut self, id: AdapterId, bound: &Bindings) -> Result<Option<Adapter>, ImportError> {
        let path = |name: &str| format!("devices/ap/card{id}/{name}");
        let Some(hwtype) = self.maybe(&path("raw_hwtype")).or_else(|| self.maybe(&path("hwtype"))) else {
            return Ok(None);
        };
        let strange = |path: String, text: &str| ImportError::Strange { path, text: text.to_owned() };
        let hwtype: u8 = hwtype.parse().map_err(|_| strange(path("raw_hwtype"), &hwtype))?;
        let mode = self.mode(id);
        let functions = self.maybe(&path("ap_functions"));
        let functions =
            functions.as_deref().and_then(|text| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok());
        let depth = self.maybe(&path("depth")).and_then(|text| text.parse().ok()).unwrap_or(8).clamp(1, 16);
        let bytes = self.maybe(&path("max_msg_size")).and_then(|text| text.parse::<u32>().ok());
        let usual = if hwtype >= 14 { 57344 } else { 12288 };
        let max_message = bytes.filter(|bytes| (4096..=61440).contains(bytes) && bytes % 4096 == 0);
        let default = format!("93AADX{:02X}", id.0);
        let serial = if bound.host.row(id).is_empty() { None } else { self.maybe(&path("serialnr")) };
        let fits = |text: &String| {
            (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        Ok(Some(Adapter {
            id,
            hwtype,
            mode,
            functions: functions.filter(|word| *word != functions_of(mode)),
            depth,
            max_message: max_message.unwrap_or(usual),
            serial: serial.filter(fits).unwrap_or(default),
        }))
    }

    fn mode(&mut self, id: AdapterId) -> Mode {
        let uevent = self.maybe(&format!("devices/ap/card{id}/uevent")).unwrap_or_default();
        match uevent.lines().find_map(|line| line.strip_prefix("MODE=")) {
            Some("accel") => return Mode::Accelerator,
            Some("cca") => return Mode::Cca,
            Some("ep11") => return Mode::Ep11,
            _ => {}
        }
        // Older kernels don't tell; the type's letter does.
        match self.maybe(&format!("devices/ap/card{id}/type")).and_then(|text| text.chars().last()) {
            Some('A') => Mode::Accelerator,
            Some('C') => Mode::Cca,
            Some('P') => Mode::Ep11,
            _ => Mode::None,
        }
    }

    /// The queues that are not as usual.
    fn queues(&mut self, adapters: &[Adapter], domains: DomainMask, there: &[Apqn]) -> Vec<Queue> {
        let there: QueueSet = there.iter().copied().collect();
        let mut queues = Vec::new();
        for adapter in adapters.iter().map(|adapter| adapter.id) {
            for domain in domains {
                let apqn = Apqn::new(adapter, domain);
                let state = if there.contains(apqn) { self.queue(apqn) } else { QueueState::Absent };
                if state != QueueState::Ok {
                    queues.push(Queue { apqn, state, faults: Vec::new() });
                }
            }
        }
        queues
    }

    fn queue(&mut self, apqn: Apqn) -> QueueState {
        let directory = format!("devices/ap/card{}/{apqn}", apqn.adapter);
        if self.maybe(&format!("{directory}/config")).is_some_and(|text| text == "0") {
            QueueState::Deconfigured
        } else if self.maybe(&format!("{directory}/chkstop")).is_some_and(|text| text == "1") {
            QueueState::Checkstopped
        } else {
            QueueState::Ok
        }
    }

    fn overrides(&mut self, bound: &Bindings) -> Overrides {
        let mut overrides = Overrides::default();
        for apqn in bound.host.iter().chain(bound.vfio.iter()).chain(bound.none.iter()) {
            let path = format!("devices/ap/card{}/{apqn}/driver_override", apqn.adapter);
            match self.maybe(&path).as_deref() {
                None | Some("" | "(null)") => {}
                Some(name) => match Driver::from_name(name) {
                    Some(driver) => overrides.set(apqn, Some(driver)),
                    None => drop(overrides.other.insert(apqn)),
                },
            }
        }
        overrides
    }

    fn mdevs(&mut self, configured: &Matrix, bound: &Bindings) -> Result<BTreeMap<Uuid, Mdev>, ImportError> {
        let guests = self.guests();
        let mut mdevs = BTreeMap::new();
        for name in self.tree.list(MATRIX)? {
            let Some(id) =
                Some(&name).filter(|name| name.len() == 36).and_then(|name| uuid(name.as_bytes()).ok())
            else {
                continue;
            };
            let directory = format!("{MATRIX}/{name}");
            let Some(matrix) = self.matrix(&directory)? else {
                self.notes
                    .push(format!("mdev {name} has lost its driver, or is being removed: it is left out"));
                continue;
            };
            let shadow = self.shadow(&directory, configured, &matrix, bound);
            let holder = self.holder(&directory, &shadow, bound, guests.get(&id));
            mdevs.insert(id, Mdev { matrix, shadow, holder });
        }
        Ok(mdevs)
    }

    /// What is assigned: from `ap_config`, which is whole, or from the lists of older kernels.
    fn matrix(&mut self, directory: &str) -> Result<Option<Matrix>, ImportError> {
        if let Some(text) = self.maybe(&format!("{directory}/ap_config")) {
            let matrix = ap_config(text.as_bytes());
            let path = format!("{directory}/ap_config");
            return matrix.map(Some).map_err(|_| ImportError::Strange { path, text });
        }
        let Some(lines) = self.maybe(&format!("{directory}/matrix")) else { return Ok(None) };
        let control = self.maybe(&format!("{directory}/control_domains")).unwrap_or_default();
        let mut matrix = lines_of(&lines);
        matrix.control_domains = control.lines().filter_map(|line| hex(line).map(DomainId)).collect();
        Ok(Some(matrix))
    }

    /// What its guest gets. The file holds 512 queues; of larger ones the rest follows from the rules.
    fn shadow(&mut self, directory: &str, configured: &Matrix, matrix: &Matrix, bound: &Bindings) -> Matrix {
        let mut shadow = matrix.shared(configured);
        let rules = {
            let missing = bound.vfio.adapters_missing_any(&shadow.adapters, &shadow.domains);
            Matrix { adapters: shadow.adapters - missing, ..shadow }
        };
        match self.maybe(&format!("{directory}/guest_matrix")) {
            Some(text) if text.len() < MOST_LISTED => {
                let lines = lines_of(&text);
                shadow.adapters = lines.adapters;
                shadow.domains = lines.domains;
                shadow
            }
            _ => rules,
        }
    }

    /// Who has it open: the emulation tells its guests; a real host shows a process at the group's file, and queues in
    /// use.
    fn holder(
        &mut self,
        directory: &str,
        shadow: &Matrix,
        bound: &Bindings,
        guest: Option<&String>,
    ) -> Option<Holder> {
        if let Some(guest) = guest {
            return Some(Holder { guest: Some(guest.clone()), process: None });
        }
        let group = self.tree.link(&format!("{directory}/iommu_group")).ok()?;
        let group = group.rsplit('/').next().unwrap_or_default().to_owned();
        if let Some(opener) = self.tree.openers(&group).into_iter().next() {
            return Some(Holder { guest: opener.guest, process: Some(opener.pid) });
        }
        let apqn = shadow.queues().find(|apqn| bound.vfio.contains(*apqn))?;
        let status = self.maybe(&format!("devices/ap/card{}/{apqn}/status", apqn.adapter));
        status.filter(|text| text == "in use").map(|_| Holder::default())
    }

    /// The guests of an emulated host, by mdev.
    fn guests(&mut self) -> BTreeMap<Uuid, String> {
        self.told_guests().unwrap_or_default()
    }

    fn told_guests(&mut self) -> Option<BTreeMap<Uuid, String>> {
        let text = self.maybe(&format!("{CONTROL}/guests"))?;
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        let named = |(name, uuids): (&str, &str)| {
            let ids: Vec<Uuid> = uuids.split(',').filter_map(|text| uuid(text.as_bytes()).ok()).collect();
            ids.into_iter().map(move |id| (id, name.to_owned())).collect::<Vec<_>>()
        };
        Some(lines.flat_map(named).collect())
    }

    fn state(
        &mut self,
        machine: &MachineFile,
        bound: Bindings,
        mdevs: BTreeMap<Uuid, Mdev>,
        vfio_ap: bool,
    ) -> Result<State, ImportError> {
        let mut state = State::of(machine);
        if state.kernel.driver_override {
            state.overrides = self.overrides(&bound);
        }
        state.masks_in_use = state.kernel.driver_override && masks_in_use(&mut *self.tree, &state.masks);
        for card in machine.adapters.iter().map(|adapter| adapter.id) {
            let is = |reader: &mut Self, name: &str, value: &str| {
                reader.maybe(&format!("devices/ap/card{card}/{name}")).is_some_and(|text| text == value)
            };
            if is(self, "config", "0") {
                state.cards_off.insert(card);
            } else if is(self, "chkstop", "1") {
                state.cards_off.insert(card);
                state.cards_checkstopped.insert(card);
            } else if is(self, "online", "0") {
                state.switched_off.insert(card);
            }
        }
        state.queues = bound;
        state.mdevs = mdevs;
        state.vfio_ap = vfio_ap;
        if !machine.facilities.qci {
            state.config = Matrix::default();
            state.limits = Limits { adapter: 63, domain: 15 };
        }
        Ok(state)
    }
}

/// Who has an mdev open.
pub(crate) fn holder_of(tree: &mut dyn Tree, mdev: Uuid) -> Option<Holder> {
    let mut reader = Reader { tree, notes: Vec::new() };
    let directory = format!("{MATRIX}/{mdev}");
    if let Some(guests) = reader.told_guests() {
        return guests.get(&mdev).map(|guest| Holder { guest: Some(guest.clone()), process: None });
    }
    let guests = BTreeMap::<Uuid, String>::new();
    let shadow = lines_of(&reader.maybe(&format!("{directory}/guest_matrix")).unwrap_or_default());
    let vfio = reader.tree.list(&format!("{BUS}/drivers/vfio_ap")).unwrap_or_default();
    let vfio = vfio.iter().filter_map(|name| name.parse().ok()).collect();
    let bound = Bindings { vfio, ..Bindings::default() };
    reader.holder(&directory, &shadow, &bound, guests.get(&mdev))
}

/// What the guest of an mdev gets; `None` if it is more than the file holds.
pub(crate) fn shadow_of(tree: &mut dyn Tree, mdev: Uuid) -> Option<Matrix> {
    let text = tree.read(&format!("{MATRIX}/{mdev}/guest_matrix")).ok()?;
    (text.len() < MOST_LISTED).then(|| lines_of(&text))
}

/// The kernel of that name: `7.1 with driver-override, without config-irq`.
fn kernel_of(text: &str) -> Option<ap_task::Kernel> {
    let (base, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut kernel = ap_task::Kernel::of(Version::from_number(base)?);
    for part in rest.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (word, name) = part.split_once(' ')?;
        kernel = kernel.with(Flag::from_name(name)?, word == "with");
    }
    Some(kernel)
}

/// Whether a mask was written since the host came up and they are not all ones. The emulation tells it. Of a real host
/// it is seen from the masks that it came up with, but for one that was written and then back again.
pub fn masks_in_use(tree: &mut dyn Tree, masks: &Masks) -> bool {
    let mut maybe = |path: &str| tree.read(path).ok().map(|text| text.trim_end_matches('\n').to_owned());
    let told = maybe(&format!("{CONTROL}/state"));
    if let Some(told) = told.and_then(|text| ap_files::state::masks_in_use(&text)) {
        return told;
    }
    let mut came_up = |name: &str| maybe(&format!("module/ap/parameters/{name}"));
    let (Some(adapters), Some(domains)) = (came_up("apmask"), came_up("aqmask")) else {
        return *masks != Masks::ALL;
    };
    let came_up = Masks { adapters: given(&adapters), domains: given(&domains) };
    *masks != Masks::ALL && *masks != came_up
}

/// The mask that a parameter of the module `ap` gives: all ones where there is none.
fn given<M: Mask>(text: &str) -> M {
    if text == "(null)" { M::from_words([u64::MAX; 4]) } else { mask_parameter(text.as_bytes()) }
}

/// `AA.DDDD` a line; with only adapters `AA.`, with only domains `.DDDD`.
fn lines_of(text: &str) -> Matrix {
    let mut matrix = Matrix::default();
    for (adapter, domain) in text.lines().filter_map(|line| line.split_once('.')) {
        matrix.adapters.extend(hex(adapter).map(AdapterId));
        matrix.domains.extend(hex(domain).map(DomainId));
    }
    matrix
}

fn hex(text: &str) -> Option<u8> {
    u8::try_from(u16::from_str_radix(text.trim(), 16).ok()?).ok()
}
