//! A line's answer as a list of named facts, which is what is compared and what a difference names.

use std::borrow::Cow;

use crate::replay::rules::{self, Side};
use crate::replay::target::Sees;
use ap_files::transcript::{Code, Entries, Guest, Irq, IrqAnswer, Kind, Line, LogLine, Node, Text, Uevent};

/// A named fact of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// `errno`, `data`, `entries[/sys/…].mode`, …
    pub field: Cow<'static, str>,
    /// Its value.
    pub value: String,
}

/// The facts of an answer, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(pub Vec<Fact>);

/// A fact that differs; a missing one is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Which fact.
    pub field: String,
    /// What the recording says.
    pub expected: Option<String>,
    /// What came.
    pub got: Option<String>,
}

impl Facts {
    fn push(&mut self, field: impl Into<Cow<'static, str>>, value: impl ToString) {
        self.0.push(Fact { field: field.into(), value: value.to_string() });
    }

    fn push_some(&mut self, field: &'static str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.push(field, value);
        }
    }

    /// The first fact in which `got` differs.
    #[must_use]
    pub fn first_mismatch(&self, got: &Facts) -> Option<Mismatch> {
        let at = (0..).find(|at| self.0.get(*at) != got.0.get(*at) || self.0.get(*at).is_none())?;
        match (self.0.get(at), got.0.get(at)) {
            (None, None) => None,
            (Some(expected), Some(got)) if expected.field == got.field => Some(Mismatch {
                field: expected.field.to_string(),
                expected: Some(expected.value.clone()),
                got: Some(got.value.clone()),
            }),
            (Some(expected), found) => {
                let later = got.0[at..].iter().any(|fact| fact.field == expected.field);
                match found {
                    Some(extra) if later => Some(Mismatch {
                        field: extra.field.to_string(),
                        expected: None,
                        got: Some(extra.value.clone()),
                    }),
                    _ => Some(Mismatch {
                        field: expected.field.to_string(),
                        expected: Some(expected.value.clone()),
                        got: None,
                    }),
                }
            }
            (None, Some(extra)) => Some(Mismatch {
                field: extra.field.to_string(),
                expected: None,
                got: Some(extra.value.clone()),
            }),
        }
    }
}

/// What is compared of a line's answer; events are lists of their own.
#[must_use]
pub fn answer(line: &Line, side: Side, sees: Sees) -> Facts {
    let mut facts = Facts::default();
    facts.push_some("errno", line.errno.as_ref());
    facts.push_some("pending", line.pending);
    let path = line.path.as_deref().unwrap_or_default();
    match line.op {
        Kind::Write => {
            facts.push_some("at", line.at.as_ref());
            facts.push_some("ret", line.ret);
        }
        Kind::Read | Kind::Readlink => {
            facts.push_some("at", line.at.as_ref());
            facts.push_some("data", line.data.as_deref().map(|data| rules::content(path, data, side)));
        }
        Kind::Ls | Kind::Tree => match &line.entries {
            Some(Entries::Names(names)) => {
                for name in names.iter().filter(|name| rules::is_ours(path, name)) {
                    facts.push(format!("entries[{name}]"), "there");
                }
            }
            Some(Entries::Tree(nodes)) => {
                nodes.iter().for_each(|(path, node)| tree_node(&mut facts, path, node, side))
            }
            None => {}
        },
        Kind::Stat => {
            facts.push_some("mode", line.mode.as_ref());
            facts.push_some("size", line.size);
        }
        Kind::Guest => guest(&mut facts, line, sees),
        Kind::Dump => dump(&mut facts, line, side, sees),
        Kind::Aread | Kind::Join => {
            facts.push_some("data", line.data.as_deref().map(|data| rules::content(path, data, side)));
        }
        Kind::Awrite | Kind::Hw | Kind::Insmod | Kind::Rmmod | Kind::Sleep | Kind::Note => {}
    }
    facts
}

fn tree_node(facts: &mut Facts, path: &str, node: &Node, side: Side) {
    let mut push = |what: &str, value: Option<String>| {
        if let Some(value) = value {
            facts.push(format!("entries[{path}].{what}"), value);
        }
    };
    push("mode", Some(node.mode.clone()));
    push("dir", node.dir.map(|dir| dir.to_string()));
    push("link", node.link.clone());
    push("size", node.size.map(|size| size.to_string()));
    push("errno", node.errno.as_ref().map(Code::to_string));
    push("data", node.data.as_deref().map(|data| rules::content(path, data, side).into_owned()));
}

fn guest(facts: &mut Facts, line: &Line, sees: Sees) {
    facts.push_some("at", line.at.as_ref());
    if !sees.guests {
        return;
    }
    facts.push_some("flags", line.flags);
    facts.push_some("num_regions", line.num_regions);
    facts.push_some("num_irqs", line.num_irqs);
    facts.push_some("irq0.flags", line.irq0.map(|irq| irq.flags));
    facts.push_some("irq0.count", line.irq0.map(|irq| irq.count));
    facts.push_some("count", line.count);
    for (n, irq) in line.irqs.iter().flatten().enumerate() {
        let value = match irq {
            IrqAnswer::There(Irq { flags, count }) => format!("flags {flags} count {count}"),
            IrqAnswer::Failed { errno } => errno.to_string(),
        };
        facts.push(format!("irqs[{n}]"), value);
    }
    facts.push_some("noeventfd", line.noeventfd.as_ref());
    facts.push_some("index2", line.index2.as_ref());
    for (n, text) in line.lines.iter().flatten().enumerate() {
        facts.push(format!("lines[{n}]"), text);
    }
    guests(facts, line.guests.as_deref());
}

fn guests(facts: &mut Facts, guests: Option<&[Guest]>) {
    for (n, guest) in guests.unwrap_or_default().iter().enumerate() {
        let mut push =
            |what: &str, value: &dyn ToString| facts.push(format!("guests[{n}].{what}"), value.to_string());
        push("name", &guest.name);
        push("hook", &guest.hook);
        push("nset", &guest.nset);
        push("nclear", &guest.nclear);
        push("apm", &guest.apm);
        push("aqm", &guest.aqm);
        push("adm", &guest.adm);
    }
}

fn dump(facts: &mut Facts, line: &Line, side: Side, sees: Sees) {
    for (attribute, text) in line.bus.iter().flatten() {
        facts.push(format!("bus.{attribute}"), read(attribute, text, side));
    }
    for (device, attributes) in line.queues.iter().flatten() {
        for (attribute, text) in attributes {
            let value = text.as_ref().map_or_else(|| "null".to_owned(), |text| read(attribute, text, side));
            facts.push(format!("queues[{device}].{attribute}"), value);
        }
    }
    for (uuid, attributes) in line.mdevs.iter().flatten() {
        for (attribute, text) in attributes {
            facts.push(format!("mdevs[{uuid}].{attribute}"), read(attribute, text, side));
        }
    }
    facts
        .push_some("available_instances", line.available_instances.as_ref().map(|text| read("", text, side)));
    if sees.guests {
        guests(facts, line.guests.as_deref());
    }
}

fn read(attribute: &str, text: &Text, side: Side) -> String {
    match text {
        Text::Read(text) => rules::content(attribute, text, side).into_owned(),
        Text::Failed { errno } => format!("{{errno {errno}}}"),
    }
}

/// What is compared of a uevent: everything, the variables in any order.
#[must_use]
pub fn uevent(event: &Uevent) -> String {
    let mut text = format!("{} {}", event.action, event.devpath);
    for (key, value) in &event.env {
        text.push_str(&format!(" {key}={value}"));
    }
    text
}

/// What is compared of a log line.
#[must_use]
pub fn log_line(line: &LogLine) -> String {
    format!("<{}>{}", line.level, line.text)
}

/// The first place at which two lists differ.
#[must_use]
pub fn first_in_lists(field: &str, expected: &[String], got: &[String]) -> Option<Mismatch> {
    let at = (0..expected.len().max(got.len())).find(|at| expected.get(*at) != got.get(*at))?;
    Some(Mismatch {
        field: format!("{field}[{at}]"),
        expected: expected.get(at).cloned(),
        got: got.get(at).cloned(),
    })
}
