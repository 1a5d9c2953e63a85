//! What is to be there after the next boot: mdevs as mdevctl's definitions, masks by a unit that applies the file again.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use ap_files::desired::{Boot, DesiredFile, DesiredMdev, Give, MaskWish};
use ap_plan::Target;
use ap_plan::meaning::of_mask;
use ap_types::{AdapterId, DomainId, Mask};
use serde_json::{Value, json};

use crate::error::CliError;

/// The unit; packages bring it along.
const UNIT: &str = include_str!("apmatrix-apply.service");
const UNIT_NAME: &str = "apmatrix-apply.service";

/// Looks whether there is a systemd that can be told, before anything is written: also the running host stays as it is if not.
///
/// # Errors
/// If there is none.
pub fn ready(etc: &Path) -> Result<(), CliError> {
    let mut command = Command::new("systemctl");
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let ran = command.status();
    let why = match ran {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => format!("it ended with {status}"),
        Err(error) => ap_files::said(&error),
    };
    Err(CliError::environment(format!("`systemctl --version`: {why}")).hint(format!(
        "`--boot` needs systemd, which applies {} at the next boot; nothing was written: leave `--boot` out, and apply the file \
         by what starts this machine",
        etc.join("apmatrix/desired.toml").display()
    )))
}

/// Whether other programs are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Programs {
    /// mdevctl and systemctl are run.
    Run,
    /// What they would be told is said: the directory is none that they look into, and the host is emulated.
    Named,
}

/// Writes down what is to be there after the next boot; says what was done, a line each.
///
/// # Errors
/// If a file cannot be written, or a command fails.
pub fn keep(
    etc: &Path,
    desired: &DesiredFile,
    text: &str,
    programs: Programs,
) -> Result<Vec<String>, CliError> {
    let mut done = Vec::new();
    for mdev in &desired.mdevs {
        match (mdev.boot, programs) {
            (Some(Boot::Auto), Programs::Run) => define(mdev, "auto", &mut done)?,
            (Some(Boot::Manual), Programs::Run) => define(mdev, "manual", &mut done)?,
            (Some(Boot::None), Programs::Run) => undefine(mdev, &mut done),
            (Some(Boot::Auto), Programs::Named) => done.push(named_definition(mdev, "auto")),
            (Some(Boot::Manual), Programs::Named) => done.push(named_definition(mdev, "manual")),
            (Some(Boot::None), Programs::Named) => {
                done.push(format!("not run: mdevctl undefine --uuid {}", mdev.uuid));
            }
            (None, _) => {}
        }
    }
    if let unsaid @ 1.. = desired.mdevs.iter().filter(|mdev| mdev.boot.is_none()).count() {
        let mdevs = if unsaid == 1 { "1 mdev has".to_owned() } else { format!("{unsaid} mdevs have") };
        done.push(format!(
            "{mdevs} no `boot` in the file: the unit makes what is missing, mdevctl is told nothing"
        ));
    }
    let file = etc.join("apmatrix/desired.toml");
    if write(&file, text)? {
        done.push(format!("{}: written", file.display()));
    }
    let packaged =
        ["usr/lib", "lib"].map(|lib| etc.join("..").join(lib).join("systemd/system").join(UNIT_NAME));
    let mut tell = |arguments: &[&str], said: Option<String>| {
        if programs == Programs::Named {
            done.push(format!("not run: systemctl {}", arguments.join(" ")));
            return Ok(());
        }
        done.extend(said);
        run("systemctl", arguments, "").map(drop)
    };
    if !packaged.iter().any(|path| path.exists()) {
        let unit = etc.join("systemd/system").join(UNIT_NAME);
        if write(&unit, &unit_text())? {
            tell(&["daemon-reload"], Some(format!("{}: written", unit.display())))?;
        }
    }
    tell(&["enable", UNIT_NAME], None)?;
    if programs == Programs::Run {
        done.push(format!("{UNIT_NAME}: enabled"));
    }
    done.push(comes_back(etc));
    Ok(done)
}

fn comes_back(etc: &Path) -> String {
    format!(
        "the next boot applies {}, whatever is reverted until then: `systemctl disable {UNIT_NAME}` calls that off",
        etc.join("apmatrix/desired.toml").display()
    )
}

/// That what was kept for the next boot comes back with it, whatever is taken back until then; `None`: nothing is kept, or its
/// unit is not enabled.
#[must_use]
pub fn stays(etc: &Path) -> Option<String> {
    let enabled =
        etc.join("systemd/system/multi-user.target.wants").join(UNIT_NAME).symlink_metadata().is_ok();
    (enabled && etc.join("apmatrix/desired.toml").exists()).then(|| comes_back(etc))
}

/// That the masks of a file are those that the host has after it, also when it boots with others: a note for each that it does not
/// say.
///
/// # Errors
/// A mask that is said by what changes: after a boot it would change other masks than now.
pub fn masks(desired: &DesiredFile, target: &Target) -> Result<Vec<String>, CliError> {
    fn of<M: Mask + std::ops::Not<Output = M>>(
        key: &str,
        wish: Option<MaskWish<M>>,
        is: M,
    ) -> Result<Option<String>, CliError> {
        let whole = format!("{key} = \"{}\"", of_mask(is));
        match wish {
            Some(MaskWish::Exactly(_)) => Ok(None),
            Some(MaskWish::Change { .. }) => Err(CliError::usage(format!(
                "`--boot` needs whole masks: {key} says what changes, and after a boot that would be something else than now"
            ))
            .hint(format!("write `{whole}` in [host]"))),
            None => Ok(Some(format!(
                "{key} is not in the file: after a boot it is what ap.{key}= of the kernel or a rule of chzdev makes of it; \
                 write `{whole}` in [host] for what it is to be now"
            ))),
        }
    }
    if target.give == Give::Override {
        return Ok(Vec::new());
    }
    let adapters = of("apmask", desired.apmask, target.masks.adapters)?;
    let domains = of("aqmask", desired.aqmask, target.masks.domains)?;
    Ok(adapters.into_iter().chain(domains).collect())
}

/// mdevctl's definitions that say otherwise than what is wanted, a sentence each: what starts such an mdev next brings them
/// back. Those that `boot` of the file defines anew are none if it is `kept`.
#[must_use]
pub fn contrary(etc: &Path, desired: &DesiredFile, kept: bool) -> Vec<String> {
    let contrary = |mdev: &DesiredMdev| {
        let path = etc.join("mdevctl.d/matrix").join(mdev.uuid.to_string());
        let definition: Value = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
        let listed = json!([{ "matrix": [{ (mdev.uuid.to_string()): definition }] }]).to_string();
        let defined = DesiredFile::parse("a definition", &listed).ok()?.mdevs.first()?.matrix;
        let (wanted, uuid) = (&mdev.matrix, mdev.uuid);
        let same = (defined.adapters, defined.domains) == (wanted.adapters, wanted.domains);
        let stays = same || kept && mdev.boot.is_some();
        (!stays).then(|| {
            format!(
                "mdev {uuid}: mdevctl has it defined with {}, and its next start brings that back: `boot = \"auto\"` (or \
                 \"manual\") in the file and `apply --boot` define it anew, or `mdevctl modify` does",
                ap_plan::meaning::of_matrix(&defined)
            )
        })
    };
    desired.mdevs.iter().filter_map(contrary).collect()
}

/// What mdevctl would be told.
fn named_definition(mdev: &DesiredMdev, start: &str) -> String {
    let definition = definition(mdev, start);
    format!(
        "not run: mdevctl define --uuid {} --parent matrix --jsonfile /dev/stdin, with {definition}",
        mdev.uuid
    )
}

fn definition(mdev: &DesiredMdev, start: &str) -> Value {
    json!({ "mdev_type": "vfio_ap-passthrough", "start": start, "attrs": attributes(mdev) })
}

/// The unit with the place of this very program.
fn unit_text() -> String {
    match std::env::current_exe() {
        Ok(program) => UNIT.replace("/usr/bin/apmatrix", &program.display().to_string()),
        Err(_) => UNIT.to_owned(),
    }
}

/// Writes a file if it says something else; whether it did.
fn write(path: &Path, text: &str) -> Result<bool, CliError> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(false);
    }
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
        let new = path.with_extension("new");
        let mut file = fs::File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    });
    written.map(|()| true).map_err(|error| CliError::unwritten(path, error))
}

/// Defines an mdev anew, through mdevctl itself.
fn define(mdev: &DesiredMdev, start: &str, done: &mut Vec<String>) -> Result<(), CliError> {
    let definition = definition(mdev, start);
    let uuid = mdev.uuid.to_string();
    let define = |definition: &Value| {
        let arguments = ["define", "--uuid", &uuid, "--parent", "matrix", "--jsonfile", "/dev/stdin"];
        run("mdevctl", &arguments, &definition.to_string())
    };
    // mdevctl has no way to replace a definition whole: an old one goes first, and comes back if the new one is refused.
    // One that is not there is no error.
    let old = run("mdevctl", &["list", "--defined", "--dumpjson", "--uuid", &uuid], "");
    let old = old.ok().and_then(|text| definition_in(serde_json::from_str(&text).ok()?));
    let _ = run("mdevctl", &["undefine", "--uuid", &uuid], "");
    if let Err(error) = define(&definition) {
        return Err(match old.map(|old| (define(&old), old)) {
            None => error,
            Some((Ok(_), _)) => error.hint(format!("mdev {uuid} is defined as it was before")),
            Some((Err(_), old)) => error.hint(format!("mdev {uuid} is no longer defined; it was: {old}")),
        });
    }
    done.push(format!("mdev {uuid}: defined, starts {start}"));
    Ok(())
}

/// The definition in what `mdevctl list --dumpjson` prints of one mdev: alone, or below its parent and its name.
fn definition_in(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key("mdev_type") => Some(Value::Object(map)),
        Value::Object(map) => map.into_iter().find_map(|(_, value)| definition_in(value)),
        Value::Array(values) => values.into_iter().find_map(definition_in),
        _ => None,
    }
}

fn undefine(mdev: &DesiredMdev, done: &mut Vec<String>) {
    let uuid = mdev.uuid.to_string();
    if run("mdevctl", &["undefine", "--uuid", &uuid], "").is_ok() {
        done.push(format!("mdev {uuid}: no longer defined"));
    }
}

/// The attributes as mdevctl writes them one after the other.
fn attributes(mdev: &DesiredMdev) -> Vec<Value> {
    let matrix = &mdev.matrix;
    let adapters = matrix.adapters.iter().map(|AdapterId(id)| json!({ "assign_adapter": id.to_string() }));
    let domains = matrix.domains.iter().map(|DomainId(id)| json!({ "assign_domain": id.to_string() }));
    let control = matrix.control_domains.iter();
    let control = control.map(|DomainId(id)| json!({ "assign_control_domain": id.to_string() }));
    adapters.chain(domains).chain(control).collect()
}

/// Runs a command; what it prints.
fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, CliError> {
    let failed = |why: String| {
        CliError::environment(format!("`{program} {}`: {why}", arguments.join(" ")))
            .hint(format!("`--boot` needs {program}; the running host is changed, and what was written for the next boot so far stays"))
    };
    let spawned = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.map_err(|error| failed(ap_files::said(&error)).because(error))?;
    if let Some(mut stdin) = child.stdin.take() {
        // Who does not read it does not want it.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| failed(ap_files::said(&error)).because(error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(said.lines().next_back().unwrap_or("it failed").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `revert` said that the host is as before, and the next boot would have brought back what was reverted.
    #[test]
    fn what_is_kept_for_the_next_boot_is_told_as_long_as_it_is_there() {
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(stays(directory.path()), None);
        let file = directory.path().join("apmatrix/desired.toml");
        assert!(write(&file, "").expect("it is written"));
        assert_eq!(stays(directory.path()), None, "the unit is not enabled");
        let unit = directory.path().join("systemd/system/multi-user.target.wants").join(UNIT_NAME);
        assert!(write(&unit, "").expect("it is written"));
        let said = stays(directory.path()).expect("it is there");
        assert!(said.starts_with(&format!("the next boot applies {}", file.display())), "{said}");
        assert!(said.ends_with("`systemctl disable apmatrix-apply.service` calls that off"), "{said}");
    }
}
