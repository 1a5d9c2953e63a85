//! The machines that need no file.

/// A built-in machine.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its machine file.
    pub text: &'static str,
}

/// All of them, smallest first.
pub const BUILT_IN: [BuiltIn; 4] = [
    BuiltIn {
        name: "tiny",
        about: "the smallest machine that shows everything",
        text: include_str!("builtin/tiny.toml"),
    },
    BuiltIn {
        name: "default",
        about: "adapters of several kinds",
        text: include_str!("builtin/default.toml"),
    },
    BuiltIn { name: "wide", about: "as large as real machines get", text: include_str!("builtin/wide.toml") },
    BuiltIn {
        name: "max",
        about: "as large as the architecture allows",
        text: include_str!("builtin/max.toml"),
    },
];
