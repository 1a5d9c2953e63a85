//! Running the command in an environment that depends on nothing.

use std::process::Output;

use assert_cmd::Command;

/// What a run of the command gave.
#[must_use]
pub struct Ran {
    /// The exit status.
    pub status: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Standard output of a run that ended well.
    pub fn ok(self) -> String {
        assert_eq!((self.status, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// Status and standard error of a run that printed nothing.
    pub fn failed(self) -> String {
        assert_eq!(self.out, "");
        format!("status {}\n{}", self.status, self.err)
    }
}

/// Runs `apmatrix` with these arguments in `directory`.
pub fn apmatrix_in(directory: &std::path::Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apmatrix"));
    command.env_clear().env("HOME", directory).current_dir(directory).args(arguments);
    let Output { status, stdout, stderr } = command.output().expect("the command starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is text");
    Ran { status: status.code().expect("no signal"), out: text(stdout), err: text(stderr) }
}

/// Runs `apmatrix` with these arguments, somewhere empty.
pub fn apmatrix(arguments: &[&str]) -> Ran {
    let directory = tempfile::tempdir().expect("a temporary directory");
    apmatrix_in(directory.path(), arguments)
}

/// A text in one line, however it was wrapped.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
