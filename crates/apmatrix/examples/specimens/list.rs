//! The list of specimens, `specimens/specimens.toml`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// All specimens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// One after the other.
    pub specimen: Vec<Specimen>,
}

/// A defect of the past as a patch to the shipped system, and what must find it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Specimen {
    /// Its name; the patch is `specimens/NAME.patch`.
    pub name: String,
    /// The rows of the history that it puts back.
    pub rows: Vec<String>,
    /// What kind of defect it is.
    pub kind: String,
    /// What goes wrong, in a sentence.
    pub about: String,
    /// The scenario that must find it …
    pub scenario: Option<String>,
    /// … or the alphabet of sequences,
    pub alphabet: Option<String>,
    /// of at most so many operations.
    pub depth: Option<u32>,
    /// The verdict that one of the violations must have.
    pub verdict: String,
    /// What that violation's description must say.
    #[serde(default)]
    pub says: String,
    /// Whether it is one of those that CI runs.
    #[serde(default)]
    pub quick: bool,
}

/// The workspace's root.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_owned()
}

impl List {
    /// Reads the list.
    pub fn read() -> Result<List, String> {
        let path = root().join("specimens/specimens.toml");
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl Specimen {
    /// Where its patch is.
    pub fn path(&self) -> PathBuf {
        root().join("specimens").join(format!("{}.patch", self.name))
    }

    /// Its patch's text.
    pub fn patch(&self) -> Result<String, String> {
        let path = self.path();
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The arguments of `apmatrix` that must find it.
    pub fn arguments(&self) -> Vec<String> {
        let words: Vec<&str> = match (&self.scenario, &self.alphabet) {
            (Some(scenario), _) => vec!["explore", scenario, "--json"],
            (None, alphabet) => {
                vec!["explore", "--sequences", "--json", "--alphabet", alphabet.as_deref().unwrap_or("core")]
            }
        };
        let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        if let (None, Some(depth)) = (&self.scenario, self.depth) {
            words.extend(["--depth".to_owned(), depth.to_string()]);
        }
        words
    }
}
