//! A transcript's machine in this process: a session over a fresh host.

use ap_files::transcript::GuestCall;
use ap_sysfs::{Answer, Called, Errno, Event, Filesystem, Kind, Session, Token};
use ap_task::Kernel;
use ap_vfio::{Eventfd, Guest, IRQ, IrqTarget, OpenStage, RequestError};
use locks::{Held, Nothing};

use crate::replay::target::{Failure, Gave, GuestFacts, GuestState, Later, Listed, Stat, Target, Ticket};

/// How long a write that may block is waited for, in milliseconds of machine time.
const LATER_MS: u64 = 300;

/// A session, as a transcript operates it.
pub struct InProcess {
    session: Session,
    answers: Vec<(Token, Result<Gave, Errno>)>,
    /// The eventfd that the recorder keeps, and the mdev that it was registered for.
    kept: Option<(String, Eventfd)>,
}

impl InProcess {
    /// A fresh machine with that kernel.
    #[must_use]
    pub fn new(kernel: Kernel) -> InProcess {
        InProcess { session: Session::with_kernel(kernel), answers: Vec::new(), kept: None }
    }

    /// Opens as open(2) with O_WRONLY or O_RDONLY would.
    fn open(&mut self, path: &str, bits: u16) -> Result<ap_sysfs::Ino, Failure> {
        let at_open = |errno| Failure::at(errno, "open");
        let entry = self.session.resolve_following(path).map_err(at_open)?;
        if entry.kind == Kind::Directory {
            return Err(at_open(Errno::EISDIR));
        }
        if entry.mode & bits == 0 {
            return Err(at_open(Errno::EACCES));
        }
        Ok(entry.ino)
    }

    fn collect(&mut self) {
        for (token, answer) in self.session.finished() {
            let gave = match answer {
                Answer::Stored(result) => result.map(|_| Gave::Written),
                Answer::Shown(result) => result.map(Gave::Read),
            };
            self.answers.push((token, gave));
        }
    }

    fn answer(&mut self, ticket: Ticket) -> Option<Result<Gave, Failure>> {
        self.collect();
        let at = self.answers.iter().position(|(token, _)| token.0 == ticket.0)?;
        Some(self.answers.swap_remove(at).1.map_err(Failure::new))
    }
}

impl Target for InProcess {
    fn write(&mut self, path: &str, data: &[u8]) -> Result<usize, Failure> {
        let ino = self.open(path, 0o222)?;
        match self.session.store(ino, data) {
            Called::Done(result) => result.map_err(Failure::new),
            Called::Pending(_) => Err(Failure::new(Errno::EAGAIN)),
        }
    }

    fn write_later(&mut self, path: &str, data: &[u8]) -> Later {
        let ino = match self.open(path, 0o222) {
            Ok(ino) => ino,
            Err(failure) => return Later::Done(Err(Failure { at: None, ..failure })),
        };
        match self.session.store_within(ino, data, LATER_MS) {
            Called::Done(result) => Later::Done(result.map(|_| Gave::Written).map_err(Failure::new)),
            Called::Pending(token) => Later::Pending(Ticket(token.0)),
        }
    }

    fn read_later(&mut self, path: &str) -> Later {
        let ino = match self.open(path, 0o444) {
            Ok(ino) => ino,
            Err(failure) => return Later::Done(Err(Failure { at: None, ..failure })),
        };
        match self.session.show_within(ino, LATER_MS) {
            Called::Done(result) => Later::Done(result.map(Gave::Read).map_err(Failure::new)),
            Called::Pending(token) => Later::Pending(Ticket(token.0)),
        }
    }

    fn join(&mut self, ticket: Ticket, ms: u64) -> Option<Result<Gave, Failure>> {
        if let Some(answer) = self.answer(ticket) {
            return Some(answer);
        }
        let mut left = ms;
        while left > 0 {
            let step = self.session.next_due().unwrap_or(left).clamp(1, left);
            self.session.advance(step);
            left -= step;
            if let Some(answer) = self.answer(ticket) {
                return Some(answer);
            }
        }
        None
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>, Failure> {
        let ino = self.open(path, 0o444)?;
        match self.session.show(ino) {
            Called::Done(result) => result.map_err(Failure::new),
            Called::Pending(_) => Err(Failure::new(Errno::EAGAIN)),
        }
    }

    fn list(&mut self, path: &str) -> Result<Vec<Listed>, Failure> {
        let entry = self.session.resolve_following(path)?;
        if entry.kind != Kind::Directory {
            return Err(Errno::ENOTDIR.into());
        }
        let entries = self.session.entries(entry.ino)?;
        let listed = |entry: ap_sysfs::Entry| Listed {
            size: entry.size(),
            name: entry.name,
            kind: entry.kind,
            mode: entry.mode,
        };
        Ok(entries.into_iter().map(listed).collect())
    }

    fn readlink(&mut self, path: &str) -> Result<String, Failure> {
        let entry = self.session.resolve(path)?;
        Ok(self.session.readlink(entry.ino)?)
    }

    fn stat(&mut self, path: &str) -> Result<Stat, Failure> {
        let entry = self.session.resolve(path)?;
        let kind = match entry.kind {
            Kind::Directory => 0o040_000,
            Kind::File => 0o100_000,
            Kind::Link => 0o120_000,
        };
        Ok(Stat { mode: kind | u32::from(entry.mode), size: entry.size() })
    }

    fn machine(&mut self, command: &str) -> Result<(), Failure> {
        self.session.machine(command).map_err(|error| Failure::new(error.errno))
    }

    fn insmod(&mut self, module: &str, parameters: &str) -> Result<(), Failure> {
        Ok(self.session.insmod(module, parameters)?)
    }

    fn rmmod(&mut self, module: &str) -> Result<(), Failure> {
        Ok(self.session.rmmod(module)?)
    }

    fn guest(&mut self, call: &GuestCall) -> Result<GuestFacts, Failure> {
        let mut facts = GuestFacts::default();
        match call {
            GuestCall::Open { uuid, guest } => {
                let name = guest.as_deref().unwrap_or("-");
                self.session.guest_open(uuid, name).map_err(|(errno, stage)| {
                    let stage = match stage {
                        OpenStage::IommuGroup => "iommu_group",
                        OpenStage::Group => "group",
                        OpenStage::Device => "device",
                    };
                    Failure::at(errno, stage)
                })?;
            }
            GuestCall::Close(uuid) => self.session.guest_close(uuid)?,
            GuestCall::Reset(uuid) => self.session.guest_reset(uuid)?,
            GuestCall::Info(uuid) => {
                let info = self.session.guest_info(uuid)?;
                facts.flags = Some(info.flags.into());
                facts.num_regions = Some(info.num_regions.into());
                facts.num_irqs = Some(info.num_irqs.into());
                facts.irq0 = Some((IRQ.0.into(), IRQ.1.into()));
            }
            GuestCall::RequestIrq(uuid) => self.session.guest_request_irq(uuid)?,
            GuestCall::EventCount(uuid) => facts.count = Some(self.session.guest_event_count(uuid)?),
            GuestCall::ConfigIrq(uuid) => self.session.guest_config_irq(uuid, IrqTarget::Eventfd)?,
            GuestCall::ConfigOff(uuid) => self.session.guest_config_irq(uuid, IrqTarget::Off)?,
            GuestCall::ConfigCount(uuid) => facts.count = Some(self.session.guest_config_count(uuid)?),
            GuestCall::ConfigBad(uuid) => {
                let no_eventfd = self.session.guest_config_irq(uuid, IrqTarget::Invalid);
                let no_irq = RequestError::NoSuchIrq.into();
                facts.refused = no_eventfd.err().map(|errno| (errno, no_irq));
            }
            GuestCall::ConfigKeep(uuid) => {
                let eventfd = self.session.guest_config_eventfd(uuid)?;
                self.kept = eventfd.map(|eventfd| (uuid.clone(), eventfd));
            }
            GuestCall::ConfigKept => {
                let count = match &self.kept {
                    Some((uuid, eventfd)) => self.session.eventfd_count(uuid, *eventfd)?,
                    None => 0,
                };
                facts.count = Some(count);
            }
            GuestCall::IrqInfo(uuid) => {
                let there = self.session.guest_info(uuid)?.num_irqs as usize;
                let (flags, count) = (IRQ.0.into(), IRQ.1.into());
                let answer = |n| if n < there { Ok((flags, count)) } else { Err(Errno::EINVAL) };
                facts.irqs = Some([0, 1, 2, 3].map(answer));
            }
            GuestCall::RegionInfo(uuid) => match self.session.guest_region_info(uuid)? {},
            GuestCall::FdInfo(uuid) => facts.lines = Some(self.session.guest_fdinfo(uuid)?),
            GuestCall::WithoutApcb(name) => self.session.make_guest(name, false),
        }
        Ok(facts)
    }

    fn guests(&mut self) -> Vec<GuestState> {
        let shown = self.session.call(|tree, task| {
            let guests = tree.host.vfio.guests(task);
            guests.iter().map(|guest| state(guest, task)).collect()
        });
        match shown {
            Called::Done(Ok(guests)) => guests,
            _ => Vec::new(),
        }
    }

    fn sleep(&mut self, ms: u64) {
        self.session.advance(ms);
    }

    fn violations(&mut self) -> Vec<String> {
        if !self.session.quiescent() {
            return Vec::new();
        }
        let tree = self.session.tree();
        let state = locks::enter(|held| tree.host.snapshot(&tree.machine, held));
        ap_host::invariants::check(&state)
            .into_iter()
            .map(|broken| format!("{}: {broken}", broken.invariant()))
            .collect()
    }

    fn events(&mut self) -> Vec<Event> {
        let events = self.session.events();
        self.session.changes();
        events
    }
}

/// What a dump shows of a guest.
fn state(guest: &Guest, held: &mut Held<'_, Nothing>) -> GuestState {
    let kvm = *guest.kvm.lock(held).0;
    GuestState {
        name: guest.name.clone(),
        hook: u64::from(guest.hook.read(held).0.is_some()),
        nset: (*kvm.set_count).into(),
        nclear: (*kvm.clear_count).into(),
        apm: kvm.apcb.adapters.to_string(),
        aqm: kvm.apcb.domains.to_string(),
        adm: kvm.apcb.control_domains.to_string(),
    }
}
