//! The format of machine files, as TOML says it: shapes and keys. What they mean is checked in `check`.

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::ids::{Ids, IdsSchema};
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
    /// Which adapters the host's own drivers have: "all", or a text in the kernel's grammar, relative ones to all;
    /// default "all".
    #[schemars(with = "Option<String>")]
    pub apmask: Option<Spanned<String>>,
    /// The same for domains.
    #[schemars(with = "Option<String>")]
    pub aqmask: Option<Spanned<String>>,
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
}

/// What a machine has.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Facilities {
    /// The query of the configuration (facility 12).
    pub qci: bool,
    /// TAPQ tells what a queue is (facility 15).
    pub apft: bool,
    /// Adapter interrupts (facility 65).
    pub interrupts: bool,
}

impl Default for Facilities {
    fn default() -> Facilities {
        Facilities { qci: true, apft: true, interrupts: true }
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
    /// How it is.
    pub state: QueueState,
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
    /// Control domains that are assigned to it.
    #[schemars(with = "Option<IdsSchema>")]
    pub control_domains: Option<Spanned<Ids>>,
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
///
/// # Panics
/// Never: a schema is JSON.
#[must_use]
pub fn schema() -> String {
    serde_json::to_string_pretty(&schemars::schema_for!(File)).expect("a schema is JSON")
}

/// Reads the shapes and keys.
pub(super) fn parse(text: &str) -> Result<File, Problem> {
    problem::parse(text, SCHEMA)
}
