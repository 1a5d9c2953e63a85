//! The text of the control file `state`: what the machine is and who has what, as one JSON document.

use std::fmt;

use ap_sysfs::control::StateText;
use ap_types::grammar::mask_parameter;
use ap_types::{DomainMask, Matrix};
use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};

/// The version of the document.
pub const SCHEMA: &str = "apmatrix.state/1";

#[derive(Serialize, JsonSchema)]
struct State<'a> {
    schema: &'static str,
    machine: &'a str,
    kernel: String,
    now_ms: u64,
    features: String,
    adapters: String,
    domains: String,
    control_domains: String,
    /// Whether a mask was written and they are not all ones: then no `driver_override` can be.
    masks_in_use: bool,
    mdevs: Vec<MdevState>,
    guests: Vec<GuestState>,
}

/// The JSON schema of the document.
#[must_use]
pub fn schema() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<State<'_>>()
}

/// A mediated device: what is assigned, and what its guest gets or would get.
#[derive(Serialize, JsonSchema)]
struct MdevState {
    uuid: String,
    matrix: [String; 3],
    guest_matrix: [String; 3],
    guest: Option<String>,
}

/// A guest that was ever made, with its APCB.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct GuestState {
    /// Its name.
    pub name: String,
    /// Whether a mediated device holds its hook.
    pub hook: bool,
    /// How many `set_masks` so far.
    pub set_masks: u64,
    /// How many `clear_masks` so far.
    pub clear_masks: u64,
    /// Adapters of its APCB.
    pub adapters: String,
    /// Usage domains of its APCB.
    pub domains: String,
    /// Control domains of its APCB.
    pub control_domains: String,
    /// Addresses of its memory that are pinned, in hex.
    pub pinned: Vec<String>,
}

/// The kernel of the text that [`text`] gives, if it is one, as its name says it.
#[must_use]
pub fn kernel(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Kernel {
        kernel: String,
    }
    serde_json::from_str::<Kernel>(text).ok().map(|state| state.kernel)
}

/// Whether masks are in use, of the text that [`text`] gives, if it is one.
#[must_use]
pub fn masks_in_use(text: &str) -> Option<bool> {
    #[derive(Deserialize)]
    struct InUse {
        masks_in_use: bool,
    }
    serde_json::from_str::<InUse>(text).ok().map(|state| state.masks_in_use)
}

/// The guests of the text that [`text`] gives, if it is one.
#[must_use]
pub fn guests(text: &str) -> Option<Vec<GuestState>> {
    #[derive(Deserialize)]
    struct Guests {
        guests: Vec<GuestState>,
    }
    serde_json::from_str::<Guests>(text).ok().map(|state| state.guests)
}

impl fmt::Display for GuestState {
    /// As the verb `guest show` says it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GuestState { name, hook, set_masks, clear_masks, adapters, domains, control_domains, pinned } =
            self;
        writeln!(f, "name {name}\nhook {}\nnset {set_masks}\nnclear {clear_masks}", u8::from(*hook))?;
        writeln!(f, "apm {adapters}\naqm {domains}\nadm {control_domains}")?;
        let matrix = Matrix {
            adapters: mask_parameter(adapters.as_bytes()),
            domains: mask_parameter(domains.as_bytes()),
            control_domains: DomainMask::EMPTY,
        };
        matrix.queues().try_for_each(|apqn| writeln!(f, "queue {apqn}"))?;
        pinned.iter().try_for_each(|address| writeln!(f, "pinned {address}"))
    }
}

fn masks(matrix: &Matrix) -> [String; 3] {
    [matrix.adapters.to_string(), matrix.domains.to_string(), matrix.control_domains.to_string()]
}

/// Writes down the state of the machine of that name.
#[must_use]
pub fn text(machine: String) -> StateText {
    Box::new(move |tree, held| {
        let mdevs = tree.host.vfio.read(held, |mdevs| {
            let state = |mdev: &ap_vfio::Mdev| MdevState {
                uuid: mdev.uuid.to_string(),
                matrix: masks(&mdev.matrix),
                guest_matrix: masks(&mdev.shadow),
                guest: mdev.opening().map(|opening| opening.by.name.clone()),
            };
            mdevs.list.values().map(state).collect()
        });
        let mut guests = Vec::new();
        for guest in tree.host.vfio.guests(held) {
            let kvm = *guest.kvm.lock(held).0;
            let [adapters, domains, control_domains] = masks(&kvm.apcb);
            let hook = guest.hook.read(held).0.is_some();
            let pinned =
                guest.memory.lock(held).0.pinned.keys().map(|address| format!("{address:x}")).collect();
            guests.push(GuestState {
                name: guest.name.clone(),
                hook,
                set_masks: (*kvm.set_count).into(),
                clear_masks: (*kvm.clear_count).into(),
                adapters,
                domains,
                control_domains,
                pinned,
            });
        }
        let qci = tree.machine.look(&mut held.at(), |config| config.qci);
        let state = State {
            schema: SCHEMA,
            machine: &machine,
            kernel: tree.host.kernel().to_string(),
            now_ms: tree.host.clock().now(),
            features: qci.features.to_string(),
            adapters: qci.adapters.to_string(),
            domains: qci.domains.to_string(),
            control_domains: qci.control_domains.to_string(),
            masks_in_use: tree.host.bus.masks_in_use(held),
            mdevs,
            guests,
        };
        serde_json::to_string_pretty(&state).unwrap_or_default() + "\n"
    })
}

/// The machine's name of the text that [`text`] gives, if it is one.
#[must_use]
pub fn machine(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        machine: String,
    }
    serde_json::from_str::<Named>(text).ok().map(|state| state.machine)
}
