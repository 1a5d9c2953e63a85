//! The format of machine files, as TOML says it: shapes and keys. What they mean is checked in `check`.

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::ids::{Ids, IdsSchema};
use super::masks::{MaskSchema, MaskText};
use crate::error::Problem;
use crate::kernel::{KernelKey, KernelSchema};
use crate::problem;

/// The version of machine files that is understood.
pub const SCHEMA: &str = "apmatrix.machine/1";

/// A machine: adapters, domains and what exists right after boot.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "apmatrix.machine/1")]
pub(super) struct File {
    /// Always "apmatrix.machine/1".
    #[schemars(with = "String", regex(pattern = "^apmatrix\\.machine/1$"))]
    pub schema: Spanned<String>,
    /// The machine's name; default: the file's.
    pub name: Option<String>,
    /// The kernel that runs on it: a version, or { base = "6.12", driver-override = true }; default "6.12".
    #[schemars(with = "Option<KernelSchema>")]
    pub kernel: Option<Spanned<KernelKey>>,
    /// Of QCI: APSC, APXA, QACT, RC8A, APSB; default: the first four.
    #[schemars(with = "Option<Vec<FeatureSchema>>")]
    pub features: Option<Vec<Spanned<String>>>,
    /// What the machine has; default: everything.
    #[serde(default)]
    pub facilities: Facilities,
    /// The highest adapter id; default 63.
    #[schemars(with = "Option<u8>")]
    pub max_adapter: Option<Spanned<u8>>,
    /// The highest domain id; default 84.
    #[schemars(with = "Option<u8>")]
    pub max_domain: Option<Spanned<u8>>,
    /// Usage domains.
    #[schemars(with = "Option<IdsSchema>")]
    pub domains: Option<Spanned<Ids>>,
    /// Control domains; default: the usage domains.
    #[schemars(with = "Option<IdsSchema>")]
    pub control_domains: Option<Spanned<Ids>>,
    /// Which adapters the host's own drivers have: "all", "none", "all but 4,10", a list of ids, or a text in the kernel's
    /// grammar, relative ones to all; default "all". Digits alone are the kernel's mask: "10" is no id.
    #[schemars(with = "Option<MaskSchema>")]
    pub apmask: Option<Spanned<MaskText>>,
    /// The same for domains.
    #[schemars(with = "Option<MaskSchema>")]
    pub aqmask: Option<Spanned<MaskText>>,
    /// The adapters.
    #[serde(default)]
    #[schemars(with = "Vec<Adapter>")]
    pub adapter: Vec<Spanned<Adapter>>,
    /// Queues that are not as usual.
    #[serde(default)]
    pub queue: Vec<Queue>,
    /// Mediated devices that exist right after boot.
    #[serde(default)]
    #[schemars(with = "Vec<Mdev>")]
    pub mdev: Vec<Spanned<Mdev>>,
    /// Guests that run right after boot.
    #[serde(default)]
    pub guest: Vec<Guest>,
}

/// What a machine has.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Facilities {
    /// The query of the configuration (facility 12; also `fac12`).
    #[serde(alias = "fac12")]
    pub qci: bool,
    /// TAPQ tells what a queue is (facility 15; also `fac15`).
    #[serde(alias = "fac15")]
    pub apft: bool,
    /// Adapter interrupts (facility 65; also `fac65`).
    #[serde(alias = "fac65")]
    pub interrupts: bool,
    /// AP instructions at all; without them `ap` does not load.
    pub instr: bool,
    /// Linux runs as a Secure Execution guest: queues are bound and associated. Needs the feature APSB, which is
    /// there then by default.
    #[schemars(with = "bool")]
    pub se: Option<Spanned<bool>>,
    /// Linux runs under z/VM.
    pub vm: bool,
}

impl Default for Facilities {
    fn default() -> Facilities {
        Facilities { qci: true, apft: true, interrupts: true, instr: true, se: None, vm: false }
    }
}

/// One adapter, or several that are alike.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Adapter {
    /// Its id; or `ids`.
    #[schemars(with = "Option<IdsSchema>")]
    pub id: Option<Spanned<Ids>>,
    /// The ids of several.
    #[schemars(with = "Option<IdsSchema>")]
    pub ids: Option<Spanned<Ids>>,
    /// CEX4 to CEX8 and A, C or P; or `hwtype` and `mode`.
    #[serde(rename = "type")]
    #[schemars(with = "Option<String>", regex(pattern = "^CEX[4-8][ACP]$"))]
    pub kind: Option<Spanned<String>>,
    /// The hardware type, 14 for a CEX8.
    #[schemars(with = "Option<u8>")]
    pub hwtype: Option<Spanned<u8>>,
    /// What an adapter given by `hwtype` is for.
    pub mode: Option<Mode>,
    /// The functions word as a hex string; default from the mode.
    #[schemars(with = "Option<String>", regex(pattern = "^0[xX][0-9a-fA-F]{1,8}$"))]
    pub functions: Option<Spanned<String>>,
    /// How many requests a queue takes, 1-16; default 8.
    #[schemars(with = "Option<u8>", range(min = 1, max = 16))]
    pub depth: Option<Spanned<u8>>,
    /// The longest message in bytes, a multiple of 4096; default 12288, from CEX8 on 57344.
    #[schemars(with = "Option<u32>")]
    pub max_message: Option<Spanned<u32>>,
    /// The serial number; default made from the id.
    #[schemars(with = "Option<String>")]
    pub serial: Option<Spanned<String>>,
}

/// What an adapter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// An accelerator.
    Accel,
    /// A CCA coprocessor.
    Cca,
    /// An EP11 coprocessor.
    Ep11,
    /// None of these; the host's drivers refuse it.
    None,
}

/// A queue that is not as usual.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Queue {
    /// Its name, "05.0004".
    #[schemars(with = "String", regex(pattern = "^[0-9a-f]{2}\\.00[0-9a-f]{2}$"))]
    pub apqn: Spanned<String>,
    /// How it is; default as usual.
    pub state: Option<QueueState>,
    /// Its bind state in a Secure Execution guest (`facilities.se`); default "usable".
    #[schemars(with = "Option<BindState>")]
    pub bind: Option<Spanned<BindState>>,
    /// The master keys of its domain, in patterns: 0x and up to 16 hex digits, or "none"; default a current key that
    /// every domain has for itself.
    pub keys: Option<Keys>,
    /// The response code that everything answers; instead of `state`.
    #[schemars(with = "Option<u8>")]
    pub rc: Option<Spanned<u8>>,
    /// How many TAPQs answer BUSY.
    pub busy: Option<u32>,
    /// How many TAPQs answer RESET_IN_PROGRESS.
    pub rip: Option<u32>,
    /// How many TAPQs answer RESET_IN_PROGRESS after each reset.
    pub resetlat: Option<u32>,
    /// What the next resets answer: "RC:COUNT".
    #[schemars(with = "Option<String>", regex(pattern = "^(0x[0-9a-fA-F]+|[0-9]+):[0-9]+$"))]
    pub zrc: Option<Spanned<String>>,
    /// What the next TAPQs answer: "RC:COUNT".
    #[schemars(with = "Option<String>", regex(pattern = "^(0x[0-9a-fA-F]+|[0-9]+):[0-9]+$"))]
    pub trc: Option<Spanned<String>>,
    /// Whether its interrupts are enabled.
    pub irq: Option<bool>,
}

/// A bind state.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum BindState {
    /// 0: bound, and associated with a secret if it needs one.
    Usable,
    /// 1: bound, and not associated.
    Bound,
    /// 2: to be bound.
    Unbound,
    /// 3: of no use to this guest.
    Unusable,
}

/// The master keys of a domain of an adapter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Keys {
    /// What is to become the current key.
    #[schemars(with = "Option<String>", regex(pattern = "^(none|0[xX][0-9a-fA-F]{1,16})$"))]
    pub new: Option<Spanned<String>>,
    /// The key in use.
    #[schemars(with = "Option<String>", regex(pattern = "^(none|0[xX][0-9a-fA-F]{1,16})$"))]
    pub current: Option<Spanned<String>>,
    /// The one before it.
    #[schemars(with = "Option<String>", regex(pattern = "^(none|0[xX][0-9a-fA-F]{1,16})$"))]
    pub old: Option<Spanned<String>>,
}

/// How a queue is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum QueueState {
    /// As usual.
    Ok,
    /// Deconfigured.
    Deconfigured,
    /// Checkstopped.
    Checkstopped,
    /// Not there.
    Absent,
}

/// A mediated device.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Mdev {
    /// Its name.
    #[schemars(with = "String")]
    pub uuid: Spanned<String>,
    /// Adapters that are assigned to it.
    #[schemars(with = "Option<IdsSchema>")]
    pub adapters: Option<Spanned<Ids>>,
    /// Usage domains that are assigned to it.
    #[schemars(with = "Option<IdsSchema>")]
    pub domains: Option<Spanned<Ids>>,
    /// Control domains that are assigned to it; default: none (in a desired state: those of `domains`).
    #[schemars(with = "Option<IdsSchema>")]
    pub control_domains: Option<Spanned<Ids>>,
}

/// A guest that runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Guest {
    /// Its name.
    #[schemars(with = "String", regex(pattern = r"^\S+$"))]
    pub name: Spanned<String>,
    /// The mediated device that it has open: its UUID.
    #[schemars(with = "String")]
    pub mdev: Spanned<String>,
}

/// The features of QCI.
#[derive(JsonSchema)]
#[allow(dead_code, clippy::upper_case_acronyms)]
enum FeatureSchema {
    /// Special command facility.
    APSC,
    /// Extended addressing.
    APXA,
    /// Asking for a compatible type.
    QACT,
    /// The flag of that name.
    RC8A,
    /// Secure Execution binding.
    APSB,
}

/// The JSON schema of machine files.
#[must_use]
pub fn schema() -> String {
    crate::json_schema::of::<File>()
}

/// Reads the shapes and keys.
pub(super) fn parse(text: &str) -> Result<File, Problem> {
    problem::parse(text, SCHEMA)
}
