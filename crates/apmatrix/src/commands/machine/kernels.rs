//! `apmatrix machine list --kernels`: what each kernel does, flag by flag.

use std::collections::BTreeMap;

use ap_task::kernel::Ground;
use ap_task::{Flag, Kernel, Version};
use serde::Serialize;

use crate::terminal::{width, wrapped};

/// The table, for scripts.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct Document {
    schema: &'static str,
    kernels: Vec<&'static str>,
    /// Other numbers, and which is taken for each.
    taken: BTreeMap<&'static str, &'static str>,
    flags: Vec<Row>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Row {
    name: &'static str,
    what: &'static str,
    ground: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_effect: Option<&'static str>,
    kernels: Vec<&'static str>,
}

/// The other numbers that are known, and which version each means.
fn taken() -> BTreeMap<&'static str, &'static str> {
    let known = Version::NUMBERS.into_iter().filter_map(|number| {
        let version = Version::from_number(number)?;
        (version.name() != number).then_some((number, version.name()))
    });
    known.collect()
}

/// The table, for scripts.
pub(super) fn document() -> Document {
    let row = |flag: Flag| {
        let (ground, no_effect) = match flag.ground() {
            Ground::Recorded => ("recorded", None),
            Ground::ByReading => ("by reading", None),
            Ground::NoEffect(why) => ("no effect", Some(why)),
        };
        let kernels = Version::ALL.into_iter().filter(|version| Kernel::of(*version).has(flag));
        Row {
            name: flag.name(),
            what: flag.what(),
            ground,
            no_effect,
            kernels: kernels.map(Version::name).collect(),
        }
    };
    Document {
        schema: "apmatrix.kernels/1",
        kernels: Version::ALL.map(Version::name).to_vec(),
        taken: taken(),
        flags: Flag::ALL.into_iter().map(row).collect(),
    }
}

/// The table, for people.
pub(super) fn text() -> String {
    let versions = Version::ALL.map(|version| format!("{:5}", version.name())).concat();
    let mut text = format!("{:25}{versions}\n", "");
    for flag in Flag::ALL {
        let has = |version: Version| if Kernel::of(version).has(flag) { "yes  " } else { "-    " };
        let columns = Version::ALL.map(has).concat();
        text.push_str(&format!("{:25}{}\n", flag.name(), columns.trim_end()));
        let note = match flag.ground() {
            Ground::Recorded => String::new(),
            Ground::ByReading => " (by reading)".to_owned(),
            Ground::NoEffect(why) => format!(" (no effect: {why})"),
        };
        text.push_str(&format!("{}\n", wrapped(&format!("    {}{note}", flag.what()), width(), 4)));
    }
    for version in Version::ALL {
        let numbers: Vec<&str> = taken()
            .into_iter()
            .filter(|(_, base)| *base == version.name())
            .map(|(number, _)| number)
            .collect();
        if !numbers.is_empty() {
            let line = format!("{} is taken for {}", version.name(), numbers.join(", "));
            text.push_str(&format!("{}\n", wrapped(&line, width(), 4)));
        }
    }
    text.push_str(
        "A vendor's kernel, in a machine file:\n  kernel = { base = \"6.12\", driver-override = true }\n",
    );
    text
}
