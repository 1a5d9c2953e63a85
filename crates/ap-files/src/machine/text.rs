//! A machine as a file: what an import writes, and what reads as the same machine.

use std::fmt::Write as _;

use ap_machine::{Answers, Fault, KeysChange};
use ap_sysfs::ids::ranges;
use ap_task::Kernel;
use ap_types::{AdapterMask, Features, Mask, Mode};

use super::format::SCHEMA;
use super::model::{Adapter, Facilities, MachineFile, QueueState};

impl MachineFile {
    /// The text of a machine file that says this machine, whatever its name.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("schema = \"{SCHEMA}\"\nname = {}\n", quoted(&self.name));
        self.head(&mut text);
        for group in groups(&self.adapters) {
            adapter(&mut text, &group);
        }
        for queue in &self.queues {
            let _ = writeln!(text, "\n[[queue]]\napqn = \"{}\"", queue.apqn);
            let state = match queue.state {
                QueueState::Ok => "ok",
                QueueState::Deconfigured => "deconfigured",
                QueueState::Checkstopped => "checkstopped",
                QueueState::Absent => "absent",
                QueueState::Answers(code) => {
                    let _ = writeln!(text, "rc = {}", code.0);
                    ""
                }
            };
            if !state.is_empty() {
                let _ = writeln!(text, "state = \"{state}\"");
            }
            queue.faults.iter().for_each(|of| fault(&mut text, of));
        }
        for mdev in &self.mdevs {
            let _ = write!(text, "\n[[mdev]]\nuuid = \"{}\"\n", mdev.uuid);
            let matrix = &mdev.matrix;
            for (key, ids) in [
                ("adapters", ids(matrix.adapters)),
                ("domains", ids(matrix.domains)),
                ("control_domains", ids(matrix.control_domains)),
            ] {
                if key != "control_domains" || !mdev.control_by_default {
                    let _ = writeln!(text, "{key} = {ids}");
                }
            }
        }
        for guest in &self.guests {
            let _ = write!(text, "\n[[guest]]\nname = {}\nmdev = \"{}\"\n", quoted(&guest.name), guest.mdev);
        }
        text
    }

    fn head(&self, text: &mut String) {
        let kernel = self.kernel.kernel;
        if kernel != Kernel::default() {
            let base = kernel.base();
            let other: Vec<String> =
                kernel.differences().map(|(flag, on)| format!(", {flag} = {on}")).collect();
            let _ = match other.is_empty() {
                true => writeln!(text, "kernel = \"{base}\""),
                false => writeln!(text, "kernel = {{ base = \"{base}\"{} }}", other.concat()),
            };
        }
        let usual = Features::APSC | Features::APXA | Features::QACT | Features::RC8A;
        if self.features != usual || self.facilities.secure_execution {
            let names = Features::NAMED.iter().filter(|(feature, _)| self.features.contains(*feature));
            let names: Vec<String> = names.map(|(_, name)| format!("\"{name}\"")).collect();
            let _ = writeln!(text, "features = [{}]", names.join(", "));
        }
        let Facilities { qci, apft, interrupts, instructions, secure_execution, zvm } = self.facilities;
        let all = [
            ("qci", qci, true),
            ("apft", apft, true),
            ("interrupts", interrupts, true),
            ("instr", instructions, true),
            ("se", secure_execution, false),
            ("vm", zvm, false),
        ];
        let other = all.iter().filter(|(_, is, usual)| is != usual);
        let other: Vec<String> = other.map(|(key, is, _)| format!("{key} = {is}")).collect();
        if !other.is_empty() {
            let _ = writeln!(text, "facilities = {{ {} }}", other.join(", "));
        }
        if self.max_adapter != 63 {
            let _ = writeln!(text, "max_adapter = {}", self.max_adapter);
        }
        if self.max_domain != 84 {
            let _ = writeln!(text, "max_domain = {}", self.max_domain);
        }
        let _ = writeln!(text, "domains = {}", ids(self.domains));
        if self.control_domains != self.domains {
            let _ = writeln!(text, "control_domains = {}", ids(self.control_domains));
        }
        for (key, mask) in [("apmask", self.apmask.words()), ("aqmask", self.aqmask.words())] {
            if mask != [u64::MAX; 4] {
                let _ = writeln!(text, "{key} = \"{}\"", AdapterMask::from_words(mask));
            }
        }
    }
}

/// Adapters that are alike but for their ids, each with the usual serial number; others alone.
fn groups(adapters: &[Adapter]) -> Vec<Vec<&Adapter>> {
    let mut groups: Vec<Vec<&Adapter>> = Vec::new();
    for adapter in adapters {
        let alike = |other: &Adapter| {
            let same = Adapter { id: adapter.id, serial: adapter.serial.clone(), ..other.clone() };
            same == *adapter && has_usual_serial(other) && has_usual_serial(adapter)
        };
        match groups.iter_mut().find(|group| alike(group[0])) {
            Some(group) => group.push(adapter),
            None => groups.push(vec![adapter]),
        }
    }
    groups
}

fn has_usual_serial(adapter: &Adapter) -> bool {
    adapter.serial == format!("93AADX{:02X}", adapter.id.0)
}

fn adapter(text: &mut String, group: &[&Adapter]) {
    let first = group[0];
    let key = if group.len() == 1 { "id" } else { "ids" };
    let mask: AdapterMask = group.iter().map(|adapter| adapter.id).collect();
    let all = if group.len() == 1 { first.id.0.to_string() } else { ids(mask) };
    let _ = write!(text, "\n[[adapter]]\n{key} = {all}\n");
    match first.type_string() {
        Some(kind) => {
            let _ = writeln!(text, "type = \"{kind}\"");
        }
        None => {
            let mode = match first.mode {
                Mode::Accelerator => "accel",
                Mode::Cca => "cca",
                Mode::Ep11 => "ep11",
                Mode::None => "none",
            };
            let _ = writeln!(text, "hwtype = {}\nmode = \"{mode}\"", first.hwtype);
        }
    }
    if let Some(functions) = first.functions {
        let _ = writeln!(text, "functions = \"0x{functions:08x}\"");
    }
    if first.depth != 8 {
        let _ = writeln!(text, "depth = {}", first.depth);
    }
    if first.max_message != if first.hwtype >= 14 { 57344 } else { 12288 } {
        let _ = writeln!(text, "max_message = {}", first.max_message);
    }
    if !has_usual_serial(first) {
        let _ = writeln!(text, "serial = \"{}\"", first.serial);
    }
}

/// What else of a queue is not as usual.
fn fault(text: &mut String, fault: &Fault) {
    let line = match fault {
        Fault::Answer(code) => format!("rc = {}", code.0),
        Fault::Busy(count) => format!("busy = {count}"),
        Fault::Resetting(count) => format!("rip = {count}"),
        Fault::ResetLatency(count) => format!("resetlat = {count}"),
        Fault::Resets(Answers { code, times }) => format!("zrc = \"0x{:x}:{times}\"", code.0),
        Fault::Tests(Answers { code, times }) => format!("trc = \"0x{:x}:{times}\"", code.0),
        Fault::Interrupts(on) => format!("irq = {on}"),
        Fault::BindState(state) => {
            let names = ["usable", "bound", "unbound", "unusable"];
            format!("bind = \"{}\"", names[usize::from(state & 3)])
        }
        Fault::MasterKeys(KeysChange { new, current, old }) => {
            let registers = [("new", new), ("current", current), ("old", old)];
            let said =
                registers.iter().filter_map(|(key, register)| {
                    let pattern = register.as_ref()?;
                    Some(pattern.map_or_else(
                        || format!("{key} = \"none\""),
                        |bits| format!("{key} = \"0x{bits:x}\""),
                    ))
                });
            format!("keys = {{ {} }}", said.collect::<Vec<_>>().join(", "))
        }
    };
    let _ = writeln!(text, "{line}");
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// `[4, "6-8"]`.
fn ids<M: Mask + IntoIterator<Item = M::Id>>(mask: M) -> String {
    let item = |(first, last): (u8, u8)| match first == last {
        true => first.to_string(),
        false => format!("\"{first}-{last}\""),
    };
    format!(
        "[{}]",
        ranges(mask.into_iter().map(Into::into)).into_iter().map(item).collect::<Vec<_>>().join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::super::BUILT_IN;
    use super::*;

    #[test]
    fn what_is_written_reads_as_the_same_machine() {
        let odd = "schema = \"apmatrix.machine/1\"\nname = \"a \\\"b\\\"\"\nfeatures = [\"APXA\"]\nmax_adapter = 200\n\
                   kernel = { base = \"6.18\", driver-override = true, config-irq = false }\n\
                   domains = [4, \"6-8\"]\ncontrol_domains = 9\napmask = \"-4\"\nfacilities = { interrupts = false }\n\
                   [[adapter]]\nids = [4, \"6-7\"]\ntype = \"CEX7C\"\n[[adapter]]\nid = 100\nhwtype = 15\n\
                   mode = \"ep11\"\nfunctions = \"0x86000001\"\ndepth = 3\nmax_message = 4096\nserial = \"A1\"\n\
                   [[queue]]\napqn = \"04.0006\"\nstate = \"absent\"\n[[queue]]\napqn = \"06.0007\"\nbusy = 2\nzrc = \
                   \"7:1\"\nkeys = { current = \"0x1f\", old = \"none\" }\n[[mdev]]\nuuid = \
                   \"62177883-f1bb-47f0-914d-32a22e3a8804\"\nadapters = 4\ndomains = 6\n\
                   [[guest]]\nname = \"g1\"\nmdev = \"62177883-f1bb-47f0-914d-32a22e3a8804\"\n";
        for text in BUILT_IN.iter().map(|machine| machine.text).chain([odd]) {
            let machine = MachineFile::parse("m.toml", text).expect("it is right");
            let again = MachineFile::parse("m.toml", &machine.to_text()).expect("what is written is right");
            assert_eq!(again, machine, "{}", machine.to_text());
        }
    }
}
