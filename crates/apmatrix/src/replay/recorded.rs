//! A machine that answers what a transcript says: it tests the comparison without a host.

use ap_sysfs::{Event, Kind as NodeKind, Uevent};

use crate::replay::target::{Failure, Gave, GuestFacts, GuestState, Later, Listed, Stat, Target, Ticket};
use ap_files::transcript::{Code, Entries, GuestCall, Kind, Line, Node, Text};

/// Answers from the lines of a transcript; asked out of turn it says `ENOSYS`.
pub struct Recorded<'a> {
    lines: &'a [Line],
    now: Option<usize>,
    collected: bool,
}

impl<'a> Recorded<'a> {
    /// A machine that does what `lines` say.
    #[must_use]
    pub fn new(lines: &'a [Line]) -> Recorded<'a> {
        Recorded { lines, now: None, collected: true }
    }

    fn line(&self) -> Option<&'a Line> {
        self.lines.get(self.now?)
    }

    /// The current line, if its operation is one of `kinds`.
    fn of(&self, kinds: &[Kind]) -> Result<&'a Line, Failure> {
        self.line().filter(|line| kinds.contains(&line.op)).ok_or_else(|| failure("ENOSYS", None))
    }

    fn errno(&self, kinds: &[Kind]) -> Result<&'a Line, Failure> {
        let line = self.of(kinds)?;
        match &line.errno {
            Some(Code::Name(name)) => Err(failure(name, line.at.as_deref())),
            _ => Ok(line),
        }
    }

    fn nodes(&self) -> Option<&std::collections::BTreeMap<String, Node>> {
        match self.of(&[Kind::Tree]).ok()?.entries.as_ref()? {
            Entries::Tree(nodes) => Some(nodes),
            Entries::Names(_) => None,
        }
    }

    /// An attribute of a dump.
    fn dumped(&self, path: &str) -> Option<&Text> {
        let line = self.of(&[Kind::Dump]).ok()?;
        let (directory, attribute) = path.rsplit_once('/')?;
        if attribute == "available_instances" {
            return line.available_instances.as_ref();
        }
        if directory == "/sys/bus/ap" {
            return line.bus.as_ref()?.get(attribute);
        }
        let (parent, device) = directory.rsplit_once('/')?;
        match parent {
            "/sys/bus/ap/devices" => line.queues.as_ref()?.get(device)?.get(attribute)?.as_ref(),
            _ => line.mdevs.as_ref()?.get(device)?.get(attribute),
        }
    }

    fn write_answer(&self, kind: Kind, data: &[u8]) -> Result<usize, Failure> {
        let line = self.errno(&[kind])?;
        Ok(line.ret.map_or(data.len(), |taken| taken as usize))
    }
}

fn failure(errno: &str, at: Option<&str>) -> Failure {
    Failure { errno: errno.to_owned().into(), at: at.map(|at| at.to_owned().into()) }
}

/// A content as a machine of ours gives it: another number of requests, and no page that is overrun.
fn ours(path: &str, data: &str) -> Vec<u8> {
    let mut ours = data.to_owned();
    match path.rsplit('/').next() {
        Some("request_count") if data.starts_with(|c: char| c.is_ascii_digit()) => ours.insert(0, '1'),
        Some("matrix" | "guest_matrix") if data.len() == 4095 => ours.push('\n'),
        _ => {}
    }
    ours.into_bytes()
}

/// What a read or write gave that had time.
fn gave(path: &str, line: &Line) -> Gave {
    line.data.as_deref().map_or(Gave::Written, |data| Gave::Read(ours(path, data)))
}

fn listed(name: &str, node: &Node) -> Listed {
    let kind = match node {
        Node { dir: Some(true), .. } => NodeKind::Directory,
        Node { link: Some(_), .. } => NodeKind::Link,
        _ => NodeKind::File,
    };
    let mode = u16::from_str_radix(&node.mode, 8).unwrap_or_default();
    Listed { name: name.to_owned(), kind, mode, size: node.size.unwrap_or_default() }
}

impl Target for Recorded<'_> {
    fn announce(&mut self, line: &Line) {
        self.now = self.lines.binary_search_by_key(&line.i, |line| line.i).ok();
        self.collected = false;
    }

    fn write(&mut self, _path: &str, data: &[u8]) -> Result<usize, Failure> {
        self.write_answer(Kind::Write, data)
    }

    fn write_later(&mut self, _path: &str, data: &[u8]) -> Later {
        match self.line() {
            Some(Line { pending: Some(true), id, .. }) => Later::Pending(Ticket(id.unwrap_or_default())),
            _ => Later::Done(self.write_answer(Kind::Awrite, data).map(|_| Gave::Written)),
        }
    }

    fn read_later(&mut self, path: &str) -> Later {
        match self.line() {
            Some(Line { pending: Some(true), id, .. }) => Later::Pending(Ticket(id.unwrap_or_default())),
            _ => Later::Done(self.errno(&[Kind::Aread]).map(|line| gave(path, line))),
        }
    }

    fn join(&mut self, _ticket: Ticket, _ms: u64) -> Option<Result<Gave, Failure>> {
        let line = self.of(&[Kind::Join]).ok()?;
        (line.pending != Some(true)).then(|| self.errno(&[Kind::Join]).map(|line| gave("", line)))
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>, Failure> {
        if let Some(node) = self.nodes().and_then(|nodes| nodes.get(path)) {
            return match (&node.data, &node.errno) {
                (Some(data), _) => Ok(ours(path, data)),
                (None, Some(errno)) => Err(failure(&errno.to_string(), None)),
                (None, None) => Err(failure("ENOSYS", None)),
            };
        }
        if self.of(&[Kind::Dump]).is_ok() {
            return match self.dumped(path) {
                Some(Text::Read(text)) => Ok(ours(path, text)),
                Some(Text::Failed { errno }) => Err(failure(&errno.to_string(), None)),
                None => Err(failure("ENOENT", Some("open"))),
            };
        }
        Ok(ours(path, self.errno(&[Kind::Read])?.data.as_deref().unwrap_or_default()))
    }

    fn list(&mut self, path: &str) -> Result<Vec<Listed>, Failure> {
        if let Some(nodes) = self.nodes() {
            let prefix = format!("{path}/");
            let subtree = nodes
                .range(prefix.clone()..)
                .map_while(|(full, node)| Some((full.strip_prefix(&prefix)?, node)));
            let below =
                subtree.filter(|(name, _)| !name.contains('/')).map(|(name, node)| listed(name, node));
            return Ok(below.collect());
        }
        let name = |name: &String| listed(name, &Node::default());
        if let Ok(line) = self.of(&[Kind::Dump]) {
            return Ok(match path {
                "/sys/bus/ap/devices" => {
                    line.queues.iter().flat_map(|devices| devices.keys().map(name)).collect()
                }
                _ => line.mdevs.iter().flat_map(|mdevs| mdevs.keys().map(name)).collect(),
            });
        }
        match &self.errno(&[Kind::Ls])?.entries {
            Some(Entries::Names(names)) => Ok(names.iter().map(name).collect()),
            _ => Ok(Vec::new()),
        }
    }

    fn readlink(&mut self, path: &str) -> Result<String, Failure> {
        if let Some(node) = self.nodes().and_then(|nodes| nodes.get(path)) {
            return node.link.clone().ok_or_else(|| failure("EINVAL", None));
        }
        if self.of(&[Kind::Dump]).is_ok() {
            return match self.dumped(path) {
                Some(Text::Read(driver)) => Ok(format!("../../../../bus/ap/drivers/{driver}")),
                _ => Err(failure("ENOENT", None)),
            };
        }
        Ok(self.errno(&[Kind::Readlink])?.data.clone().unwrap_or_default())
    }

    fn stat(&mut self, _path: &str) -> Result<Stat, Failure> {
        let line = self.errno(&[Kind::Stat])?;
        let mode = line.mode.as_deref().and_then(|mode| u32::from_str_radix(mode, 8).ok());
        Ok(Stat { mode: mode.unwrap_or_default(), size: line.size.unwrap_or_default() })
    }

    fn machine(&mut self, _command: &str) -> Result<(), Failure> {
        self.errno(&[Kind::Hw]).map(drop)
    }

    fn insmod(&mut self, _module: &str, _parameters: &str) -> Result<(), Failure> {
        self.errno(&[Kind::Insmod]).map(drop)
    }

    fn rmmod(&mut self, _module: &str) -> Result<(), Failure> {
        self.errno(&[Kind::Rmmod]).map(drop)
    }

    fn guest(&mut self, _call: &GuestCall) -> Result<GuestFacts, Failure> {
        let line = self.errno(&[Kind::Guest])?;
        Ok(GuestFacts {
            flags: line.flags,
            num_regions: line.num_regions,
            num_irqs: line.num_irqs,
            irq0: line.irq0.map(|irq| (irq.flags, irq.count)),
            count: line.count,
            ..GuestFacts::default()
        })
    }

    fn guests(&mut self) -> Vec<GuestState> {
        let guests = self.line().and_then(|line| line.guests.as_deref()).unwrap_or_default();
        let state = |guest: &ap_files::transcript::Guest| GuestState {
            name: guest.name.clone(),
            hook: guest.hook,
            nset: guest.nset,
            nclear: guest.nclear,
            apm: guest.apm.clone(),
            aqm: guest.aqm.clone(),
            adm: guest.adm.clone(),
        };
        guests.iter().map(state).collect()
    }

    fn sleep(&mut self, _ms: u64) {}

    fn events(&mut self) -> Vec<Event> {
        let Some(line) = self.line().filter(|_| !self.collected) else { return Vec::new() };
        let uevents = line.uevents.iter().map(|event| {
            Event::Uevent(Uevent {
                action: event.action.clone(),
                devpath: event.devpath.clone(),
                // Another order than the recording's: it is not compared.
                env: event.env.iter().rev().map(|(key, value)| (key.clone(), value.clone())).collect(),
            })
        });
        let log = line.dmesg.iter().map(|line| Event::Log { level: line.level, text: line.text.clone() });
        let instructions = line.hwlog.iter().map(|text| Event::Instruction(text.clone()));
        let events = instructions.chain(log).chain(uevents).collect();
        self.collected = true;
        events
    }
}
