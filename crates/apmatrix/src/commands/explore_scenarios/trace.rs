//! A trace for people: a column per task, a line per step, and the line of a task's script where its commands begin.
//!
//! Where the columns do not fit, the task's name stands in each line instead.

use std::fmt::Write as _;

use ap_proof::scenario::BEGINS;
use ap_types::Apqn;
use explore::TraceStep;
use locks::Object;

use crate::terminal::{cut, wrapped};

/// The widest column.
const WIDEST: usize = 40;
/// What stands before a step, but for the task.
const NUMBER: usize = 5;

/// What people call the objects of each level, with the letter of `docs/locking.md` where they have one.
const NAMES: &[(&str, &str, &str)] = &[
    ("Modules", "the modules", "modules"),
    ("Scan", "the scan (S)", "S"),
    ("Device", "the binding (D) of", "D"),
    ("Perms", "the masks (P)", "P"),
    ("DriverData", "a driver's data", "driver"),
    ("Guests", "the guests (G)", "G"),
    ("Kvm", "the APCB (K) of guest", "K"),
    ("Vcpu", "the CPU (V) of guest", "V"),
    ("Hook", "the AQIC hook (H) of guest", "H"),
    ("Mdevs", "the mdevs (M)", "M"),
    ("Vms", "the list of guests", "guests"),
    ("Switches", "the switches", "switches"),
    ("Devices", "the lists", "lists"),
    ("Queue", "the state (A) of", "A"),
    ("Memory", "the memory of guest", "memory"),
    ("HwConfig", "the machine", "machine"),
    ("Hw", "the hardware queue", "hw"),
    ("hand", "who has", "hand"),
    ("Background", "the background's list", "background"),
];

/// The lines of a task's script, by task and line.
pub type Scripts<'a> = dyn Fn(usize, u32) -> Option<String> + 'a;

/// The trace in lines of that width.
pub fn columns(tasks: &[String], trace: &[TraceStep], scripts: &Scripts<'_>, width: usize) -> String {
    let used: Vec<usize> =
        (0..tasks.len()).filter(|task| trace.iter().any(|step| step.task == *task)).collect();
    let words: Vec<String> = trace.iter().map(words).collect();
    let ends: Vec<String> = trace.iter().map(end).collect();
    let of = |task: usize| {
        let steps = trace.iter().zip(&words).filter(|(step, _)| step.task == task);
        steps.map(|(_, words)| words.chars().count()).max().unwrap_or(0).max(tasks[task].len()).min(WIDEST)
    };
    let widths: Vec<usize> = used.iter().map(|task| of(*task)).collect();
    let longest = ends.iter().map(|end| end.chars().count()).max().unwrap_or(0);
    let needed = NUMBER + widths.iter().map(|width| width + 2).sum::<usize>() + longest;
    let layout = if needed <= width { Layout::Columns } else { Layout::Lines };
    let mut text = String::new();
    if layout == Layout::Columns {
        let mut head = " ".repeat(NUMBER);
        for (task, width) in used.iter().zip(&widths) {
            let _ = write!(head, " {:width$} ", tasks[*task]);
        }
        let _ = writeln!(text, "{}", head.trim_end());
    }
    let name = used.iter().map(|task| tasks[*task].len()).max().unwrap_or(0);
    let mut begun = vec![false; tasks.len()];
    for (number, step) in trace.iter().enumerate() {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for line in step.notes.iter().filter_map(|note| note.strip_prefix(BEGINS)?.parse().ok()) {
            // A note is about the step before it; before the first one there is none.
            let list = if begun[step.task] { &mut after } else { &mut before };
            list.push(line);
            begun[step.task] = true;
        }
        let script = |text: &mut String, lines: &[u32]| {
            for line in lines {
                if let Some(command) = scripts(step.task, *line) {
                    let said = format!("{:NUMBER$} {}:{line}: {}", ">", tasks[step.task], command.trim());
                    let _ = writeln!(text, "{}", cut(&said, width));
                }
            }
        };
        script(&mut text, &before);
        match layout {
            Layout::Columns => {
                let mut line = format!("{:NUMBER$}", number + 1);
                for (task, width) in used.iter().zip(&widths) {
                    let cell = if *task == step.task { words[number].as_str() } else { "·" };
                    let _ = write!(line, " {cell:width$} ");
                }
                let _ = writeln!(text, "{}", format!("{line} {}", ends[number]).trim_end());
            }
            Layout::Lines => {
                let head = format!("{:NUMBER$} {:name$}  ", number + 1, tasks[step.task]);
                let indent = head.chars().count();
                let whole = format!("{head}{}  {}", words[number], ends[number]);
                if whole.chars().count() <= width {
                    let _ = writeln!(text, "{whole}");
                } else {
                    let _ = writeln!(text, "{}", wrapped(&format!("{head}{}", words[number]), width, indent));
                    let end = format!("{}{}", " ".repeat(indent), ends[number]);
                    let _ = writeln!(text, "{}", wrapped(&end, width, indent));
                }
            }
        }
        script(&mut text, &after);
        for finding in &step.found {
            let said = format!("      ^ {}: {}", finding.verdict, finding.what);
            let _ = writeln!(text, "{}", wrapped(&said, width, 8));
        }
    }
    text
}

/// How steps stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Columns,
    Lines,
}

/// Where a step stands in the source, and what is held after it.
fn end(step: &TraceStep) -> String {
    let at = step.at.strip_prefix("crates/").unwrap_or(&step.at).replace("/src/", "/");
    if step.held.is_empty() {
        return at;
    }
    let held: Vec<String> = step.held.iter().map(|name| letter(name)).collect();
    format!("{at}  [{}]", held.join(", "))
}

fn words(step: &TraceStep) -> String {
    let object = named(&step.on, &step.object);
    let failed = if step.ok { "" } else { ", which is busy" };
    match step.step {
        "lock" => format!("takes {object}"),
        "unlock" | "read-unlock" => format!("releases {object}"),
        "read-lock" => format!("takes {object} to read"),
        "look" => format!("looks at {object}"),
        "looked" => format!("has looked at {object}"),
        "try-lock" => format!("tries {object}{failed}"),
        "oracle" => format!("touches {object}"),
        other => format!("{other} {object}{failed}"),
    }
}

/// A queue or a card by the number that its locks have.
fn device(id: u32) -> Option<String> {
    match u16::try_from(id) {
        Ok(id) => Some(Apqn::from_u16(id).to_string()),
        Err(_) if id >> 16 == 1 => Some(format!("card{:02x}", id & 0xff)),
        Err(_) => None,
    }
}

/// What people call an object.
fn named(object: &Object, shown: &str) -> String {
    let Some((level, name, _)) = NAMES.iter().find(|(level, ..)| *level == object.level) else {
        return shown.to_owned();
    };
    match *level {
        "Device" | "Queue" | "Hw" | "hand" => match device(object.key.id) {
            Some(device) => format!("{name} {device}"),
            None => shown.to_owned(),
        },
        "Kvm" | "Vcpu" | "Hook" | "Memory" => format!("{name} {}", object.key.id + 1),
        "Devices" if object.key.id > 0 => format!("{name} ({})", object.key.id),
        _ => (*name).to_owned(),
    }
}

/// A held lock in short: its letter, and which one where there are several.
fn letter(held: &str) -> String {
    let (level, rest) = held.split_once(' ').unwrap_or((held, ""));
    let Some((level, _, letter)) = NAMES.iter().find(|(known, ..)| *known == level) else {
        return held.to_owned();
    };
    let id = rest.split('/').next().and_then(|id| id.parse::<u32>().ok());
    match (*level, id) {
        ("Device" | "Queue" | "Hw" | "hand", Some(id)) => {
            device(id).map_or_else(|| held.to_owned(), |device| format!("{letter} {device}"))
        }
        ("Kvm" | "Vcpu" | "Hook" | "Memory", Some(id)) => format!("{letter} {}", id + 1),
        (_, Some(id)) if id > 0 => format!("{letter} {id}"),
        _ => (*letter).to_owned(),
    }
}
