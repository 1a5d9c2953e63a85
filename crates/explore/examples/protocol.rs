//! A bus that hands queues to drivers, and masks that say to which: how fast is it explored?
//!
//! `cargo run --release -p apmatrix-explore --example protocol -- [TASKS] [cache|dpor|dfs] [right|deadlock|theft] [PASTS]` explores
//! the first TASKS (2 to 6) of: a mask write, an assignment, a scan, another assignment, another mask write, an open. The code
//! is a toy; it has the locks and the steps of a real system's protocol (four levels nested, two kinds of loop over
//! devices), or one of two mistakes: an assignment takes the guests' lock before the masks', a mask write lets the masks go
//! between its question and its change. With PASTS, so many pasts are told apart by an audit of its checkpoints.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::time::Duration;

use explore::{Audit, Explorer, Finding, Options, Report, Scene, Strategy};
use locks::hook::checkpoint;
use locks::{Ghost, Held, Level, Mutex, Nothing, Unordered, enter, violation};

locks::hierarchy! { mod order { Scan => Device => Perms => Guests => Kvm => Mdevs } }
use order::{Device, Guests, Kvm, Mdevs, Perms, Scan};

const ADAPTERS: usize = 2;
const DOMAINS: usize = 2;
const QUEUES: usize = ADAPTERS * DOMAINS;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Driver {
    None,
    Default,
    Vfio,
}

#[derive(Clone, Copy, Hash)]
struct Masks {
    adapters: u8,
    domains: u8,
}

impl Masks {
    fn owner(self, queue: usize) -> Driver {
        let (adapter, domain) = (queue / DOMAINS, queue % DOMAINS);
        if self.adapters >> adapter & self.domains >> domain & 1 == 1 {
            Driver::Default
        } else {
            Driver::Vfio
        }
    }

    fn set(self) -> u8 {
        (0..QUEUES)
            .filter(|&queue| self.owner(queue) == Driver::Default)
            .fold(0, |set, queue| set | 1 << queue)
    }
}

#[derive(Hash)]
struct Queue {
    driver: Driver,
    there: bool,
}

#[derive(Hash)]
struct Shared {
    matrices: Vec<Masks>,
    bound: u8,
}

#[derive(Hash)]
struct Owner {
    guest: bool,
    host: bool,
}

/// What is wrong with the protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mistake {
    Deadlock,
    Theft,
}

struct World {
    mistake: Option<Mistake>,
    scan: Mutex<Scan, ()>,
    devices: Vec<Mutex<Device, Queue>>,
    perms: Mutex<Perms, Masks>,
    guests: Mutex<Guests, Vec<bool>>,
    kvms: Vec<Mutex<Kvm, u8>>,
    mdevs: Mutex<Mdevs, Shared>,
    owners: Vec<Ghost<Owner>>,
}

fn world(mistake: Option<Mistake>) -> World {
    let masks = Masks { adapters: 0b00, domains: 0b11 };
    let device = |queue: usize| Mutex::new(queue as u32, Queue { driver: masks.owner(queue), there: true });
    let matrices = vec![Masks { adapters: 0, domains: 0b01 }, Masks { adapters: 0b10, domains: 0 }];
    World {
        mistake,
        scan: Mutex::new(0, ()),
        devices: (0..QUEUES).map(device).collect(),
        perms: Mutex::new(0, masks),
        guests: Mutex::new(0, vec![false; 2]),
        kvms: (0..2).map(|guest| Mutex::new(guest, 0)).collect(),
        mdevs: Mutex::new(0, Shared { matrices, bound: 0b1111 }),
        owners: (0..QUEUES as u32)
            .map(|queue| Ghost::new("owner", queue, Owner { guest: false, host: false }))
            .collect(),
    }
}

impl World {
    fn own(&self, queue: usize, change: impl FnOnce(&mut Owner)) {
        self.owners[queue].update(|owner| {
            change(owner);
            if owner.guest && owner.host {
                violation("stolen", || format!("queue {queue} is driven by the host and owned by a guest"));
            }
        });
    }

    fn set_apcb(&self, apcb: &mut u8, new: u8) {
        let old = std::mem::replace(apcb, new);
        for queue in (0..QUEUES).filter(|queue| (old ^ new) >> queue & 1 == 1) {
            self.own(queue, |owner| owner.guest = new >> queue & 1 == 1);
        }
    }

    fn mask_write(&self, held: &mut Held<'_, Nothing>, adapters: u8, domains: u8) -> &'static str {
        {
            let (mut perms, mut held) = self.perms.lock(held);
            let new = Masks { adapters: perms.adapters | adapters, domains: perms.domains | domains };
            if new.set() & !perms.set() != 0 {
                let (_guests, mut held) = self.guests.lock(&mut held);
                let (mdevs, _held) = self.mdevs.lock(&mut held);
                let used = mdevs.matrices.iter().fold(0, |used, matrix| used | matrix.set());
                if used & new.set() & !perms.set() != 0 {
                    return "EBUSY";
                }
            }
            if self.mistake != Some(Mistake::Theft) {
                *perms = new;
            }
        }
        if self.mistake == Some(Mistake::Theft) {
            let (mut perms, _held) = self.perms.lock(held);
            perms.adapters |= adapters;
            perms.domains |= domains;
        }
        for queue in 0..QUEUES {
            checkpoint(1 + queue as u64);
            let want = self.perms.lock(held).0.owner(queue);
            let (there, have) = {
                let (device, _held) = self.devices[queue].lock(held);
                (device.there, device.driver)
            };
            if there && want != have {
                checkpoint(100 + queue as u64);
                self.reprobe(held, queue);
            }
        }
        "ok"
    }

    fn reprobe(&self, held: &mut Held<'_, Nothing>, queue: usize) {
        {
            let (mut device, mut held) = self.devices[queue].lock(held);
            match device.driver {
                Driver::Vfio => self.bind(&mut held, queue, false),
                Driver::Default => self.own(queue, |owner| owner.host = false),
                Driver::None => {}
            }
            device.driver = Driver::None;
        }
        checkpoint(200 + queue as u64);
        let (mut device, mut held) = self.devices[queue].lock(held);
        if device.driver != Driver::None || !device.there {
            return;
        }
        let want = self.perms.lock(&mut held).0.owner(queue);
        match want {
            Driver::Vfio => self.bind(&mut held, queue, true),
            _ => self.own(queue, |owner| owner.host = true),
        }
        device.driver = want;
    }

    fn bind<L>(&self, held: &mut Held<'_, L>, queue: usize, bind: bool)
    where
        Guests: locks::After<L>,
    {
        let (guests, mut held) = self.guests.lock(held);
        let guest = guests.iter().position(|&open| open);
        let (kvm, mut held) = Mutex::lock_opt(guest.map(|guest| &self.kvms[guest]), &mut held);
        let (mut mdevs, _held) = self.mdevs.lock(&mut held);
        let bit = 1 << queue;
        mdevs.bound = if bind { mdevs.bound | bit } else { mdevs.bound & !bit };
        if let (Some(mut kvm), Some(guest)) = (kvm, guest) {
            let new = mdevs.matrices[guest].set() & mdevs.bound;
            self.set_apcb(&mut kvm, new);
        }
    }

    fn assign(&self, held: &mut Held<'_, Nothing>, mdev: usize, adapters: u8, domains: u8) -> &'static str {
        if self.mistake == Some(Mistake::Deadlock) {
            let token = Unordered::specimen();
            let guests = self.guests.lock_unordered(&token);
            let perms = self.perms.lock_unordered(&token);
            let mut kvm = guests[mdev].then(|| self.kvms[mdev].lock_unordered(&token));
            let mut mdevs = self.mdevs.lock_unordered(&token);
            return self.add(*perms, kvm.as_deref_mut(), &mut mdevs, mdev, Masks { adapters, domains });
        }
        let (perms, mut held) = self.perms.lock(held);
        let (guests, mut held) = self.guests.lock(&mut held);
        let (mut kvm, mut held) = Mutex::lock_opt(guests[mdev].then(|| &self.kvms[mdev]), &mut held);
        let (mut mdevs, _held) = self.mdevs.lock(&mut held);
        self.add(*perms, kvm.as_deref_mut(), &mut mdevs, mdev, Masks { adapters, domains })
    }

    fn add(
        &self,
        perms: Masks,
        kvm: Option<&mut u8>,
        mdevs: &mut Shared,
        mdev: usize,
        more: Masks,
    ) -> &'static str {
        let old = mdevs.matrices[mdev];
        let new = Masks { adapters: old.adapters | more.adapters, domains: old.domains | more.domains };
        if perms.set() & new.set() != 0 {
            return "EADDRNOTAVAIL";
        }
        if mdevs.matrices[1 - mdev].set() & new.set() != 0 {
            return "EADDRINUSE";
        }
        mdevs.matrices[mdev] = new;
        if let Some(kvm) = kvm {
            self.set_apcb(kvm, new.set() & mdevs.bound);
        }
        "ok"
    }

    /// In the end no queue of the host's driver is assigned.
    fn check(&self) -> Vec<Finding> {
        let assigned = enter(|held| {
            let (perms, mut held) = self.perms.lock(held);
            let (mdevs, _held) = self.mdevs.lock(&mut held);
            perms.set() & mdevs.matrices.iter().fold(0, |all, matrix| all | matrix.set())
        });
        let found = || Finding::new("stolen", format!("queues {assigned:04b} are the host's, and assigned"));
        (assigned != 0).then(found).into_iter().collect()
    }

    fn open(&self, held: &mut Held<'_, Nothing>, mdev: usize) -> &'static str {
        let (mut guests, mut held) = self.guests.lock(held);
        let (mut kvm, mut held) = self.kvms[mdev].lock(&mut held);
        let (mdevs, _held) = self.mdevs.lock(&mut held);
        guests[mdev] = true;
        let apcb = mdevs.matrices[mdev].set() & mdevs.bound;
        self.set_apcb(&mut kvm, apcb);
        "ok"
    }

    fn scan(&self, held: &mut Held<'_, Nothing>, gone: usize) -> &'static str {
        let (_scan, mut held) = self.scan.lock(held);
        let (mut device, mut held) = self.devices[gone].lock(&mut held);
        match device.driver {
            Driver::Vfio => self.bind(&mut held, gone, false),
            Driver::Default => self.own(gone, |owner| owner.host = false),
            Driver::None => {}
        }
        device.driver = Driver::None;
        device.there = false;
        "ok"
    }
}

type Operation = fn(&World, &mut Held<'_, Nothing>) -> &'static str;

fn name<L: Level>() -> &'static str {
    L::NAME
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let tasks: usize = arguments.next().map_or(4, |text| text.parse().expect("TASKS is a number"));
    let strategy = match arguments.next().as_deref() {
        None | Some("cache") => Strategy::StateCache,
        Some("dpor") => Strategy::Dpor,
        Some("dfs") => Strategy::Dfs,
        Some(other) => panic!("`{other}` is not cache, dpor or dfs"),
    };
    let mistake = match arguments.next().as_deref() {
        None | Some("right") => None,
        Some("deadlock") => Some(Mistake::Deadlock),
        Some("theft") => Some(Mistake::Theft),
        Some(other) => panic!("`{other}` is not right, deadlock or theft"),
    };
    let audit = arguments
        .next()
        .map_or(Audit::default(), |text| Audit::Histories(text.parse().expect("PASTS is a number")));
    let run = |f: Operation| move |world: &World| enter(|held| f(world, held)).to_owned();
    let mut scene = Scene::new(move || world(mistake)).check(|world, _| world.check());
    let all: [(&str, Operation); 6] = [
        ("mask", |world, held| world.mask_write(held, 0b01, 0)),
        ("assign", |world, held| world.assign(held, 0, 0b01, 0)),
        ("scan", |world, held| world.scan(held, 0)),
        ("assign2", |world, held| world.assign(held, 1, 0, 0b10)),
        ("mask2", |world, held| world.mask_write(held, 0b10, 0)),
        ("open", |world, held| world.open(held, 0)),
    ];
    for (name, operation) in all.into_iter().take(tasks) {
        scene = scene.task(name, run(operation));
    }
    let shown = Cell::new(0u32);
    let mut explorer = Explorer::new(Options {
        strategy,
        audit,
        stop_at_first: mistake.is_some(),
        budget: Some(Duration::from_secs(120)),
        ..Options::default()
    })
    .on_progress(move |progress| {
        shown.set(shown.get() + 1);
        if shown.get().is_multiple_of(10) {
            eprintln!(
                "{:.0} % {} states {} executions",
                progress.done * 100.0,
                progress.states,
                progress.executions
            );
        }
    });
    print(tasks, &explorer.run(&mut scene));
}

fn print(tasks: usize, report: &Report) {
    println!(
        "{tasks} tasks from {} to {}: {}, exhausted: {}, {} states, {} executions followed, {} run, {} outcomes, {:.3} s",
        name::<Scan>(),
        name::<Mdevs>(),
        report.verdict,
        report.exhausted,
        report.states,
        report.executions,
        report.runs,
        report.outcomes.len(),
        report.elapsed.as_secs_f64(),
    );
    if let Some(audit) = report.audit {
        println!(
            "  audit: {} places, {} with several pasts, {} with more than were followed; {} states, {} run, {:.3} s",
            audit.places,
            audit.compared,
            audit.beyond,
            audit.states,
            audit.runs,
            audit.elapsed.as_secs_f64(),
        );
    }
    if let Some(why) = &report.why {
        println!("  {why}");
    }
    for violation in &report.violations {
        let Finding { verdict, what } = &violation.finding;
        println!("  {verdict}, {} switches: {what}: {}", violation.switches, violation.schedule);
    }
    for outcome in &report.outcomes {
        println!("  {}: {}", outcome.results.join(" "), outcome.schedule);
    }
}
