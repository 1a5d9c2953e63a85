//! The demo's first part: the real system, operated as anybody would in `apmatrix shell`.

use std::io::{self, Write};

use ap_files::{MachineFile, boot};
use ap_shell::{Shell, Stream};

use crate::commands::shell::world;
use crate::error::CliError;

/// What is typed: comments are said, everything else is carried out. `apmatrix shell` prints the same for it.
pub const SCRIPT: &str = r#"
# A host with eight adapters and six usage domains. Right after boot every
# queue is the host's own.
cat /sys/bus/ap/bindings
cat /sys/bus/ap/apmask

# Adapters 2 and 3 are taken from the host's drivers; vfio_ap gets their queues.
echo -2,-3 > /sys/bus/ap/apmask
ls /sys/bus/ap/drivers/vfio_ap

# Two mediated devices, each with an adapter and two usage domains.
M=/sys/devices/vfio_ap/matrix
A=$M/a0000000-0000-4000-8000-000000000001
B=$M/b0000000-0000-4000-8000-000000000002
C=$M/mdev_supported_types/vfio_ap-passthrough/create
echo a0000000-0000-4000-8000-000000000001 > $C
echo b0000000-0000-4000-8000-000000000002 > $C
for D in 4 6; do echo $D > $A/assign_domain; done
for D in 4 6; do echo $D > $B/assign_domain; done
echo 2 > $A/assign_adapter
echo 3 > $B/assign_adapter
cat $A/matrix

# A guest starts on the first. It gets what is assigned, there, and bound to
# vfio_ap.
guest start g1 a0000000-0000-4000-8000-000000000001
cat $A/guest_matrix
cat /sys/bus/ap/devices/02.0004/status

# Now the administrator wants adapter 2 back for the host. The bus asks vfio_ap
# first, and the answer is a veto.
echo +2 > /sys/bus/ap/apmask || true
cat /sys/kernel/debug/apmatrix/log

# The machine takes adapter 2 away under the running guest, and gives it back.
hw unplug 2
guest show g1
hw plug 2
cat $A/guest_matrix

# Once the guest has ended and nobody holds the queues, the host gets them; each
# is reset in between.
guest stop g1
echo 1 > $A/remove
echo +2 > /sys/bus/ap/apmask
ls /sys/bus/ap/drivers/vfio_ap
"#;

/// Tells the part: every command with what it prints.
///
/// # Errors
/// If the machine can't be booted or the output can't be written.
pub fn tell(out: &mut dyn Write) -> Result<(), CliError> {
    let machine = MachineFile::load("default")?;
    let mut shell = Shell::new(world(boot(&machine)?));
    for line in SCRIPT.trim().lines() {
        if line.is_empty() {
            writeln!(out)?;
            continue;
        }
        if let Some(said) = line.strip_prefix("# ") {
            writeln!(out, "{said}")?;
            continue;
        }
        writeln!(out, "    $ {line}")?;
        let script = ap_shell::parse(line, "demo")
            .map_err(|error| CliError::input(error.to_string()).because(error))?;
        let mut printed: io::Result<()> = Ok(());
        shell.run(&script, &mut |_: Stream, text| {
            for line in text.lines() {
                if printed.is_ok() {
                    printed = writeln!(out, "    {line}");
                }
            }
        });
        printed?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_shows_what_the_shell_prints_for_the_same_commands() {
        let mut told = Vec::new();
        tell(&mut told).expect("the demo is told");
        let told = String::from_utf8(told).expect("text");
        let shown: Vec<&str> = told
            .lines()
            .filter_map(|line| line.strip_prefix("    "))
            .filter(|line| !line.starts_with("$ "))
            .collect();

        let machine = MachineFile::load("default").expect("a built-in machine");
        let mut shell = Shell::new(world(boot(&machine).expect("it boots")));
        let script = ap_shell::parse(SCRIPT, "-c").expect("the script parses");
        let mut printed = String::new();
        shell.run(&script, &mut |_, text| printed.push_str(text));

        // The demo runs it line by line, so that the places in the script are others.
        let plain = |line: &&str| line.split_once(": /sys/").map_or(*line, |(_, rest)| rest).to_owned();
        let told: Vec<String> = shown.iter().map(plain).collect();
        assert_eq!(told, printed.lines().map(|line| plain(&line)).collect::<Vec<_>>());
        assert!(printed.contains("Device or resource busy"), "the veto is shown: {printed}");
        assert!(printed.contains("Can not reserve queue 02.0004"), "and who has the queue: {printed}");
    }
}
