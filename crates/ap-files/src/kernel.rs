//! Which kernel a file or a command asks for. (Specification, page 7, "Profiles".)
//!
//! `kernel = "7.1"`, or `kernel = { base = "6.12", driver-override = true }` for a vendor's.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use ap_sysfs::nearest::meant;
use ap_task::{Flag, Kernel, Version};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use toml::Spanned;

use crate::error::Problem;

/// A kernel that was asked for by a version's number, and what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelChoice {
    /// The kernel.
    pub kernel: Kernel,
    /// The number that was asked for, if it is not that of the version taken for it.
    asked: Option<String>,
}

impl KernelChoice {
    /// Which version is taken for the one that was asked for, if it is another; a sentence.
    #[must_use]
    pub fn taken(&self) -> Option<String> {
        let asked = self.asked.as_ref()?;
        Some(format!("Linux {asked} behaves as {} here, which is taken", self.kernel.base()))
    }
}

impl From<Kernel> for KernelChoice {
    fn from(kernel: Kernel) -> KernelChoice {
        KernelChoice { kernel, asked: None }
    }
}

impl fmt::Display for KernelChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kernel.fmt(f)?;
        match &self.asked {
            Some(asked) => write!(f, " (for {asked})"),
            None => Ok(()),
        }
    }
}

/// Not the number of a kernel that is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kernel `{0}`: expected one of {known}", known = Version::NUMBERS.join(", "))]
pub struct UnknownKernel(String);

impl FromStr for KernelChoice {
    type Err = UnknownKernel;

    fn from_str(number: &str) -> Result<KernelChoice, UnknownKernel> {
        let base = Version::from_number(number).ok_or_else(|| UnknownKernel(number.to_owned()))?;
        let asked = (base.name() != number).then(|| number.to_owned());
        Ok(KernelChoice { kernel: Kernel::of(base), asked })
    }
}

/// What stands at the key `kernel`.
#[derive(Clone, Debug)]
pub(crate) enum KernelKey {
    /// A version's number.
    Number(String),
    /// A version's number, and the flags that differ.
    Table { base: Option<Spanned<String>>, flags: BTreeMap<Spanned<String>, Spanned<bool>> },
}

/// What [`KernelKey`] is for a JSON schema.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) enum KernelSchema {
    /// A version's number.
    Number(String),
    /// A vendor's kernel: `base`, and flags by name.
    Table(BTreeMap<String, FlagSchema>),
}

/// A flag is set or not; `base` is a number.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) enum FlagSchema {
    /// The version that the others differ from.
    Base(String),
    /// Whether it has the flag.
    Flag(bool),
}

impl<'de> Deserialize<'de> for KernelKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<KernelKey, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = KernelKey;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a version like \"7.1\", or a table like { base = \"6.12\", driver-override = true }",
                )
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<KernelKey, E> {
                Ok(KernelKey::Number(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<KernelKey, A::Error> {
                let (mut base, mut flags) = (None, BTreeMap::new());
                while let Some(key) = entries.next_key::<Spanned<String>>()? {
                    if key.get_ref() == "base" {
                        base = Some(entries.next_value()?);
                    } else {
                        flags.insert(key, entries.next_value()?);
                    }
                }
                Ok(KernelKey::Table { base, flags })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// The kernel that a key asks for.
pub(crate) fn choice(key: &Spanned<KernelKey>) -> Result<KernelChoice, Problem> {
    match key.get_ref() {
        KernelKey::Number(number) => of_number(number, key.span()),
        KernelKey::Table { base, flags } => {
            let mut choice = match base {
                Some(base) => of_number(base.get_ref(), base.span())?,
                None => KernelChoice::default(),
            };
            for (name, on) in flags {
                let flag = Flag::from_name(name.get_ref()).ok_or_else(|| unknown_flag(name))?;
                choice.kernel = choice.kernel.with(flag, *on.get_ref());
            }
            Ok(choice)
        }
    }
}

fn of_number(number: &str, span: Range<usize>) -> Result<KernelChoice, Problem> {
    number.parse().map_err(|UnknownKernel(number)| {
        let message = format!("unknown kernel `{number}`");
        let problem = Problem::new(span, message, format!("expected one of {}", Version::NUMBERS.join(", ")));
        problem.help("a vendor's: `kernel = { base = \"6.12\", driver-override = true }`")
    })
}

fn unknown_flag(name: &Spanned<String>) -> Problem {
    let known = Flag::ALL.map(Flag::name);
    let found = name.get_ref();
    let problem = Problem::new(
        name.span(),
        format!("unknown flag `{found}` of a kernel"),
        format!("expected `base` or one of {}", known.join(", ")),
    );
    match meant(found, known) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem,
    }
}
