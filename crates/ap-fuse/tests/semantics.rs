//! One program of rows (`CONTRACT.md` section 2, spec page 5), against the mount and against the machine's own sysfs.

#[path = "semantics/devices.rs"]
mod devices;
#[path = "semantics/rows.rs"]
mod rows;
#[path = "support/mod.rs"]
mod support;

use support::{Skip, Suite, client, finish, need_mounts, outcome, own, role, serve};

fn main() {
    if let Some((role, arguments)) = role() {
        if role == serve::SERVE {
            serve::serve(arguments);
        }
        let name = arguments.first().and_then(|name| name.to_str()).unwrap_or_default();
        let site = if name == "own" { rows::OWN } else { rows::TREE };
        match name {
            "devices" => devices::print(),
            _ => rows::print(&site),
        }
        return;
    }
    support::isolate();
    let mut suite = Suite::new();
    suite.case("rows_on_the_tree", rows_on_the_tree);
    suite.case("rows_agree_with_the_machines_own_sysfs", rows_agree);
    suite.case("rows_on_devices_that_come_and_go", rows_on_devices);
    suite.end();
}

/// The rows as the tree answers them, as root in a private /sys.
fn on_the_tree(name: &str) -> Result<String, Skip> {
    need_mounts()?;
    let line = client(name, &[]);
    let mut arguments = vec!["run", "--"];
    arguments.extend(line.iter().map(String::as_str));
    let output = finish(own(&arguments));
    let (all, status) = outcome(&output);
    assert_eq!(status, 0, "{all}");
    // The panics that are provoked have something to say on the other stream.
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn rows_on_the_tree() -> Result<(), Skip> {
    let text = on_the_tree("rows")?;
    let expected: String = rows::ROWS.iter().map(|row| format!("{}: {}\n", row.name, row.expected)).collect();
    compare(&text, &expected)
}

fn rows_agree() -> Result<(), Skip> {
    let text = on_the_tree("rows")?;
    if !rustix::process::geteuid().is_root() || !std::path::Path::new(rows::OWN.rw).exists() {
        return Err(Skip::Kernel(format!("there is no {} to try the rows on", rows::OWN.rw)));
    }
    let mut command = std::process::Command::new(std::env::current_exe().expect("our own path"));
    command.args([serve::CLIENT, "own"]);
    let (real, status) = outcome(&finish(command));
    assert_eq!(status, 0, "{real}");
    let common: Vec<&rows::Row> = rows::ROWS.iter().filter(|row| row.own).collect();
    assert!(common.len() > 40, "nearly all rows are tried there, too");
    let pick = |text: &str| -> String {
        let is_common = |line: &&str| common.iter().any(|row| line.starts_with(&format!("{}: ", row.name)));
        text.lines().filter(is_common).map(|line| format!("{line}\n")).collect()
    };
    compare(&pick(&text), &pick(&real))
}

fn rows_on_devices() -> Result<(), Skip> {
    let text = on_the_tree("devices")?;
    let expected: String = devices::EXPECTED.iter().map(|(name, is)| format!("{name}: {is}\n")).collect();
    compare(&text, &expected)
}

fn compare(text: &str, expected: &str) -> Result<(), Skip> {
    let differences: Vec<String> = text
        .lines()
        .zip(expected.lines())
        .filter(|(is, should)| is != should)
        .map(|(is, should)| format!("  {is}\n    should be {should}"))
        .collect();
    assert!(differences.is_empty(), "differences:\n{}", differences.join("\n"));
    assert_eq!(text.lines().count(), expected.lines().count(), "{text}");
    Ok(())
}
