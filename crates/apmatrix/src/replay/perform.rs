//! Doing on a machine what a line asks for, and writing down what comes of it as a line of the same form.

use std::collections::{BTreeMap, BTreeSet};

use ap_sysfs::{Errno, Event, Kind as NodeKind};

use crate::replay::rules::SETTLE_MS;
use crate::replay::target::{Failure, Gave, GuestState, Later, Target, Ticket};
use ap_files::transcript::{
    Call, Code, Entries, Guest, GuestCall, Irq, IrqAnswer, Kind, Line, LogLine, Node, Text, Uevent, text,
};

/// The bus attributes of a dump, in the order in which the recorder read them.
const BUS: [&str; 10] = [
    "ap_domain",
    "ap_control_domain_mask",
    "ap_usage_domain_mask",
    "ap_adapter_mask",
    "ap_max_domain_id",
    "ap_max_adapter_id",
    "apmask",
    "aqmask",
    "scans",
    "bindings",
];

/// An mdev's attributes of a dump, in order.
const MDEV: [&str; 4] = ["matrix", "guest_matrix", "control_domains", "ap_config"];

const INSTANCES: &str =
    "/sys/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/available_instances";

/// The recorder's part: what it had pending and open, and the machine that it works on.
pub struct Performer<'t> {
    target: &'t mut dyn Target,
    pending: BTreeMap<u64, Ticket>,
    opened: BTreeSet<String>,
    /// Whether the recorder wrote down what the drivers did to the machine: not after `opt log=0`.
    logs: bool,
}

impl<'t> Performer<'t> {
    /// Begins on a fresh machine.
    pub fn new(target: &'t mut dyn Target) -> Performer<'t> {
        Performer { target, pending: BTreeMap::new(), opened: BTreeSet::new(), logs: true }
    }

    /// The machine.
    pub fn target(&mut self) -> &mut dyn Target {
        self.target
    }

    /// Does what `recorded` asks for, lets time pass if `settle`, and collects what happened.
    ///
    /// # Panics
    /// If the line was not made by [`Line::parse`] and lacks something.
    pub fn perform(&mut self, recorded: &Line, settle: bool) -> Line {
        let call = recorded.call().expect("a parsed line has what its operation needs");
        let mut got = question(recorded);
        self.target.announce(recorded);
        self.answer(&call, &mut got);
        if call == Call::Note {
            return got;
        }
        // A recording that has no content of a read that took time says nothing of it.
        if matches!(call, Call::ReadLater(..) | Call::Join(..)) && recorded.data.is_none() {
            got.data = None;
        }
        if settle {
            self.target.sleep(SETTLE_MS);
        }
        for event in self.target.events() {
            match event {
                Event::Uevent(event) => got.uevents.push(Uevent {
                    action: event.action,
                    devpath: text(event.devpath.into_bytes()),
                    env: event
                        .env
                        .into_iter()
                        .map(|(key, value)| (text(key.into_bytes()), text(value.into_bytes())))
                        .collect(),
                }),
                Event::Log { level, text: line } => {
                    got.dmesg.push(LogLine { level, text: text(line.into_bytes()) });
                }
                Event::Instruction(text) if self.logs => got.hwlog.push(text),
                Event::Instruction(_) => {}
            }
        }
        got
    }

    fn answer(&mut self, call: &Call<'_>, got: &mut Line) {
        match call {
            Call::Write(path, data) => {
                let answer = self.target.write(path, data);
                got.ret = short(&answer, data.len());
                put(got, answer);
            }
            Call::Later(path, data, id) => match self.target.write_later(path, data) {
                Later::Done(answer) => drop(put(got, answer)),
                Later::Pending(ticket) => self.wait(ticket, *id, got),
            },
            Call::ReadLater(path, id) => match self.target.read_later(path) {
                Later::Done(answer) => gave(got, answer),
                Later::Pending(ticket) => self.wait(ticket, *id, got),
            },
            Call::Join(id, ms) => {
                let ticket = self.pending.get(id).copied();
                match ticket.and_then(|ticket| self.target.join(ticket, *ms)) {
                    Some(answer) => {
                        self.pending.remove(id);
                        gave(got, answer);
                    }
                    None => got.pending = Some(true),
                }
            }
            Call::Read(path) => got.data = put(got, self.target.read(path)).map(text),
            Call::List(path) => {
                let listed = put(got, self.target.list(path));
                got.entries = listed.map(|listed| {
                    let mut names: Vec<String> =
                        listed.into_iter().map(|entry| text(entry.name.into_bytes())).collect();
                    names.sort();
                    Entries::Names(names)
                });
            }
            Call::Readlink(path) => {
                got.data = put(got, self.target.readlink(path)).map(|link| text(link.into_bytes()));
            }
            Call::Stat(path) => {
                if let Some(stat) = put(got, self.target.stat(path)) {
                    got.mode = Some(format!("{:06o}", stat.mode));
                    got.size = Some(stat.size);
                }
            }
            Call::Tree(path, contents) => {
                let mut nodes = BTreeMap::new();
                self.tree(path, *contents, &mut nodes);
                got.entries = Some(Entries::Tree(nodes));
            }
            Call::Machine(command) => {
                self.logs = logs(command).unwrap_or(self.logs);
                put(got, self.target.machine(command));
            }
            Call::Insmod(module, parameters) => drop(put(got, self.target.insmod(module, parameters))),
            Call::Rmmod(module) => drop(put(got, self.target.rmmod(module))),
            Call::Guest(call) => self.guest(call, got),
            Call::Guests => {
                got.errno = Some(Code::Zero);
                got.guests = Some(self.guests());
            }
            Call::Dump => self.dump(got),
            Call::Sleep(ms) => {
                self.target.sleep(*ms);
                got.errno = Some(Code::Zero);
            }
            Call::Note => {}
        }
    }

    fn wait(&mut self, ticket: Ticket, id: u64, got: &mut Line) {
        self.pending.insert(id, ticket);
        got.pending = Some(true);
    }

    /// Depth first, names sorted, links not followed; reading has effects, so the order matters.
    fn tree(&mut self, directory: &str, contents: bool, nodes: &mut BTreeMap<String, Node>) {
        let Ok(mut listed) = self.target.list(directory) else { return };
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in listed {
            let path = format!("{directory}/{}", entry.name);
            let mut node = Node { mode: format!("{:04o}", entry.mode), ..Node::default() };
            match entry.kind {
                NodeKind::Directory => {
                    node.dir = Some(true);
                    self.tree(&path, contents, nodes);
                }
                NodeKind::Link => match self.target.readlink(&path) {
                    Ok(link) => node.link = Some(link),
                    Err(failure) => node.errno = Some(code(failure)),
                },
                NodeKind::File => {
                    node.size = Some(entry.size);
                    if contents && entry.mode & 0o444 != 0 {
                        match self.target.read(&path) {
                            Ok(data) => node.data = Some(text(data)),
                            Err(failure) => node.errno = Some(code(failure)),
                        }
                    }
                }
            }
            nodes.insert(path, node);
        }
    }

    fn guest(&mut self, call: &GuestCall, got: &mut Line) {
        // The recorder keeps what is open by the mdev's name; it answers by itself if there is nothing.
        if call.opened().is_some_and(|uuid| !self.opened.contains(uuid)) {
            got.errno = Some(Code::Name("ENOENT".into()));
            if matches!(call, GuestCall::EventCount(_) | GuestCall::ConfigCount(_)) {
                got.count = Some(0);
            }
            return;
        }
        let Some(facts) = put(got, self.target.guest(call)) else {
            if let GuestCall::Close(uuid) = call {
                self.opened.remove(uuid);
            }
            return;
        };
        got.flags = facts.flags;
        got.num_regions = facts.num_regions;
        got.num_irqs = facts.num_irqs;
        got.irq0 = facts.irq0.map(|(flags, count)| Irq { flags, count });
        got.count = facts.count;
        got.irqs = facts.irqs.map(|irqs| irqs.into_iter().map(irq_answer).collect());
        got.lines = facts.lines;
        if let Some((no_eventfd, no_irq)) = facts.refused {
            got.errno = Some(code(Failure::new(no_eventfd)));
            got.noeventfd = Some(code(Failure::new(no_eventfd)));
            got.index2 = Some(code(Failure::new(no_irq)));
        }
        match call {
            GuestCall::Open { uuid, .. } => drop(self.opened.insert(uuid.clone())),
            GuestCall::Close(uuid) => drop(self.opened.remove(uuid)),
            _ => {}
        }
    }

    fn guests(&mut self) -> Vec<Guest> {
        let guest = |state: GuestState| Guest {
            name: state.name,
            refs: 0,
            hook: state.hook,
            nset: state.nset,
            nclear: state.nclear,
            apm: state.apm,
            aqm: state.aqm,
            adm: state.adm,
        };
        self.target.guests().into_iter().map(guest).collect()
    }

    fn dump(&mut self, got: &mut Line) {
        got.bus = Some(
            BUS.iter().map(|name| ((*name).to_owned(), self.show(&format!("/sys/bus/ap/{name}")))).collect(),
        );
        let mut queues = BTreeMap::new();
        for name in self.names("/sys/bus/ap/devices") {
            queues.insert(name.clone(), self.device(&format!("/sys/bus/ap/devices/{name}")));
        }
        got.queues = Some(queues);
        let mut mdevs = BTreeMap::new();
        for uuid in self.names("/sys/bus/mdev/devices") {
            let show = |name: &&str| {
                ((*name).to_owned(), self.show(&format!("/sys/devices/vfio_ap/matrix/{uuid}/{name}")))
            };
            mdevs.insert(uuid.clone(), MDEV.iter().map(show).collect());
        }
        got.mdevs = Some(mdevs);
        got.available_instances = Some(self.show(INSTANCES));
        got.guests = Some(self.guests());
    }

    fn device(&mut self, path: &str) -> BTreeMap<String, Option<Text>> {
        let mut device = BTreeMap::new();
        let driver = self.target.readlink(&format!("{path}/driver")).ok();
        let name = driver.and_then(|link| link.rsplit('/').next().map(|name| Text::Read(name.to_owned())));
        device.insert("driver".to_owned(), name);
        for attribute in ["status", "config", "chkstop"] {
            let shown = self.show(&format!("{path}/{attribute}"));
            // Only queues of vfio_ap have a status.
            if attribute != "status" || shown != (Text::Failed { errno: Code::Name("ENOENT".into()) }) {
                device.insert(attribute.to_owned(), Some(shown));
            }
        }
        device
    }

    fn names(&mut self, directory: &str) -> Vec<String> {
        let listed = self.target.list(directory).unwrap_or_default();
        let mut names: Vec<String> = listed.into_iter().map(|entry| entry.name).collect();
        names.sort();
        names
    }

    fn show(&mut self, path: &str) -> Text {
        match self.target.read(path) {
            Ok(data) => Text::Read(text(data)),
            Err(failure) => Text::Failed { errno: code(failure) },
        }
    }
}

/// The line without its answer and events.
fn question(line: &Line) -> Line {
    let mut question = Line::empty(line.i, line.op);
    question.path = line.path.clone();
    question.cmd = line.cmd.clone();
    question.uuid = line.uuid.clone();
    question.guest = line.guest.clone();
    question.module = line.module.clone();
    question.params = line.params.clone();
    question.text = line.text.clone();
    question.id = line.id;
    question.ms = line.ms;
    if matches!(line.op, Kind::Write | Kind::Awrite) {
        question.data = line.data.clone();
    }
    question
}

/// Writes down whether a call succeeded.
fn put<T>(got: &mut Line, answer: Result<T, Failure>) -> Option<T> {
    match answer {
        Ok(value) => {
            got.errno = Some(Code::Zero);
            Some(value)
        }
        Err(failure) => {
            got.at = failure.at.as_ref().map(|at| at.to_string());
            got.errno = Some(code(failure));
            None
        }
    }
}

/// Writes down what came of a write or read that had time.
fn gave(got: &mut Line, answer: Result<Gave, Failure>) {
    if let Some(Gave::Read(data)) = put(got, answer) {
        got.data = Some(text(data));
    }
}

fn irq_answer(answer: Result<(u64, u64), Errno>) -> IrqAnswer {
    match answer {
        Ok((flags, count)) => IrqAnswer::There(Irq { flags, count }),
        Err(errno) => IrqAnswer::Failed { errno: code(Failure::new(errno)) },
    }
}

fn short(answer: &Result<usize, Failure>, whole: usize) -> Option<u64> {
    answer.as_ref().ok().filter(|taken| **taken != whole).map(|taken| *taken as u64)
}

fn code(failure: Failure) -> Code {
    Code::Name(failure.errno.into_owned())
}

/// Whether an `opt` command switches the recorder's log of instructions on or off.
fn logs(command: &str) -> Option<bool> {
    let words = command.strip_prefix("opt ")?.split_ascii_whitespace();
    words.filter_map(|word| word.strip_prefix("log=")).next_back().map(|value| value != "0")
}
