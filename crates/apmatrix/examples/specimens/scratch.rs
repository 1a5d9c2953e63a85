//! A copy of the workspace in which specimens are built.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::list::root;
use crate::patch::Patch;

/// What of the workspace is copied.
const COPIED: [&str; 6] = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "crates", "scenarios", "fuzz"];
/// How long a build may take.
const BUILD: Duration = Duration::from_secs(1200);
/// How long an exploration may take.
const EXPLORE: Duration = Duration::from_secs(300);

/// The copy.
pub struct Scratch {
    tree: PathBuf,
    target: PathBuf,
}

impl Scratch {
    /// Brings the copy in line with the workspace. Files that are the same are left alone, so that cargo builds only
    /// what changed since the last time.
    pub fn new() -> io::Result<Scratch> {
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
        let place = target.join("specimens");
        let scratch = Scratch { tree: place.join("tree"), target: place.join("target") };
        fs::create_dir_all(&scratch.tree)?;
        for name in COPIED {
            let from = root().join(name);
            if from.exists() {
                bring_in_line(&from, &scratch.tree.join(name))?;
            }
        }
        Ok(scratch)
    }

    /// Applies a patch; `false` if it does not apply, and then nothing is changed.
    pub fn apply(&self, patch: &Patch) -> io::Result<bool> {
        let mut changed = Vec::new();
        for path in patch.paths() {
            let text = fs::read_to_string(root().join(path)).unwrap_or_default();
            let Some(new) = patch.apply(path, &text) else { return Ok(false) };
            changed.push((path, new));
        }
        for (path, text) in &changed {
            fs::write(self.tree.join(path), text)?;
        }
        Ok(!changed.is_empty())
    }

    /// Takes a patch back.
    pub fn restore(&self, patch: &Patch) -> io::Result<()> {
        for path in patch.paths() {
            fs::write(self.tree.join(path), fs::read(root().join(path))?)?;
        }
        Ok(())
    }

    /// Builds the command line. Optimised a little and incrementally: what is explored is small, what is built is not.
    pub fn build(&self) -> io::Result<Result<(), String>> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "--release", "--package", "apmatrix"]);
        command.env("CARGO_TARGET_DIR", &self.target).env("CARGO_INCREMENTAL", "1");
        command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1").env("CARGO_PROFILE_RELEASE_DEBUG", "0");
        // A specimen may well leave something unused.
        command.env("RUSTFLAGS", "--cap-lints=warn");
        let done = run(command.current_dir(&self.tree), BUILD)?;
        Ok(match done {
            Some(done) if done.ok => Ok(()),
            Some(done) => Err(done.errors),
            None => Err("the build does not end".into()),
        })
    }

    /// Runs the command line that was built; `None` if it does not end.
    pub fn explore(&self, arguments: &[String]) -> io::Result<Option<Done>> {
        let mut command = Command::new(self.target.join("release/apmatrix"));
        run(command.args(arguments).current_dir(&self.tree), EXPLORE)
    }
}

/// What a program said.
pub struct Done {
    /// Whether it ended with 0.
    pub ok: bool,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

fn run(command: &mut Command, limit: Duration) -> io::Result<Option<Done>> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (output, errors) = (read(child.stdout.take()), read(child.stderr.take()));
    let Some(ok) = wait(&mut child, limit)? else { return Ok(None) };
    let text = |reader: std::thread::JoinHandle<String>| reader.join().unwrap_or_default();
    Ok(Some(Done { ok, output: text(output), errors: text(errors) }))
}

fn read(stream: Option<impl io::Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What could be read until an error is good enough.
            let _ = stream.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Whether it ended with 0; `None` if it took too long and was ended.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<bool>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn bring_in_line(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        let new = fs::read(from)?;
        if fs::read(to).ok().as_ref() != Some(&new) {
            fs::write(to, new)?;
        }
        return Ok(());
    }
    fs::create_dir_all(to)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        if name != "target" {
            bring_in_line(&from.join(&name), &to.join(&name))?;
            names.push(name);
        }
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !names.contains(&entry.file_name()) {
            let gone = entry.path();
            if gone.is_dir() { fs::remove_dir_all(gone)? } else { fs::remove_file(gone)? }
        }
    }
    Ok(())
}
