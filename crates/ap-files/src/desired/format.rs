//! The format of desired states, as TOML says it: shapes and keys.

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::error::Problem;
use crate::machine::ids::{Ids, IdsSchema};
use crate::machine::masks::{MaskSchema, MaskText};
use crate::problem;

/// The version of desired states that is understood.
pub const SCHEMA: &str = "apmatrix.desired/1";

/// What somebody wants a host's queues to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "apmatrix.desired/1")]
pub(super) struct File {
    /// Always "apmatrix.desired/1".
    #[schemars(with = "String", regex(pattern = "^apmatrix\\.desired/1$"))]
    pub schema: Spanned<String>,
    /// What becomes of mdevs that are not listed; default keep.
    pub unlisted: Option<Unlisted>,
    /// The queues of the host's own drivers; left out: as it is.
    #[serde(default)]
    pub host: Host,
    /// The mediated devices.
    #[serde(default)]
    #[schemars(with = "Vec<Mdev>")]
    pub mdev: Vec<Spanned<Mdev>>,
}

/// What becomes of mdevs that are not listed.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Unlisted {
    /// They stay as they are.
    Keep,
    /// They are removed.
    Remove,
}

/// The queues of the host's own drivers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Host {
    /// Which adapters the host's own drivers have: ids, "all", "none", "all but 4,10", or the kernel's own text.
    #[schemars(with = "Option<MaskSchema>")]
    pub apmask: Option<Spanned<MaskText>>,
    /// The same for domains.
    #[schemars(with = "Option<MaskSchema>")]
    pub aqmask: Option<Spanned<MaskText>>,
    /// How queues are given to vfio_ap, on kernels that have both ways; default: as the host does it.
    pub give: Option<Give>,
}

/// How queues are given to vfio_ap.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Give {
    /// By apmask and aqmask.
    Masks,
    /// By each queue's driver_override.
    Override,
}

/// A mediated device.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Mdev {
    /// Its name.
    #[schemars(with = "String")]
    pub uuid: Spanned<String>,
    /// Adapters that are to be assigned to it.
    #[schemars(with = "Option<IdsSchema>")]
    pub adapters: Option<Spanned<Ids>>,
    /// Usage domains that are to be assigned to it.
    #[schemars(with = "Option<IdsSchema>")]
    pub domains: Option<Spanned<Ids>>,
    /// Control domains that are to be assigned to it; default: those of `domains` (in a machine file: none). [] is none.
    #[schemars(with = "Option<IdsSchema>")]
    pub control_domains: Option<Spanned<Ids>>,
    /// Its definition in mdevctl; default: as it is.
    pub boot: Option<Boot>,
}

/// How mdevctl starts an mdev.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Boot {
    /// At boot.
    Auto,
    /// When told to.
    Manual,
    /// It is not defined.
    None,
}

/// The JSON schema of desired states.
#[must_use]
pub fn schema() -> String {
    crate::json_schema::of::<File>()
}

/// Reads the shapes and keys.
pub(super) fn parse(text: &str) -> Result<File, Problem> {
    problem::parse(text, SCHEMA)
}
