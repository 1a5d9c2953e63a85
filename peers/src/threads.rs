//! The protocol of `crates/explore/examples/protocol.rs` once more, with threads and mutexes as the standard library has them.
//!
//! Whoever includes it has a module `sync` beside it, with the `Mutex`, `Arc` and `thread` of the tool that it is for.
//! The locks are those of the example, and are taken at the same places; what is wrong panics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::{Arc, Mutex, thread};

const ADAPTERS: usize = 2;
const DOMAINS: usize = 2;
const QUEUES: usize = ADAPTERS * DOMAINS;

/// How many executions have begun.
pub static EXECUTIONS: AtomicU64 = AtomicU64::new(0);

/// What is wrong with the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    Deadlock,
    Theft,
}

/// How many operations, and which mistake: the first two arguments of a program.
pub fn asked(arguments: &mut impl Iterator<Item = String>) -> (usize, Option<Mistake>) {
    let tasks = arguments.next().expect("OPERATIONS, 2 to 6").parse().expect("OPERATIONS is a number");
    let mistake = match arguments.next().as_deref() {
        Some("right") => None,
        Some("deadlock") => Some(Mistake::Deadlock),
        Some("theft") => Some(Mistake::Theft),
        other => panic!("{other:?} is not right, deadlock or theft"),
    };
    (tasks, mistake)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Driver {
    None,
    Default,
    Vfio,
}

#[derive(Clone, Copy)]
struct Masks {
    adapters: u8,
    domains: u8,
}

impl Masks {
    fn owner(self, queue: usize) -> Driver {
        let (adapter, domain) = (queue / DOMAINS, queue % DOMAINS);
        if self.adapters >> adapter & self.domains >> domain & 1 == 1 { Driver::Default } else { Driver::Vfio }
    }

    fn set(self) -> u8 {
        (0..QUEUES).filter(|&queue| self.owner(queue) == Driver::Default).fold(0, |set, queue| set | 1 << queue)
    }
}

struct Device {
    driver: Driver,
    there: bool,
}

struct Mdevs {
    matrices: [Masks; 2],
    bound: u8,
}

/// Who drives what: a ghost, so a mutex of the standard library, which no tool sees.
#[derive(Default)]
struct Owners {
    guest: u8,
    host: u8,
}

struct World {
    mistake: Option<Mistake>,
    scan: Mutex<()>,
    devices: [Mutex<Device>; QUEUES],
    perms: Mutex<Masks>,
    guests: Mutex<[bool; 2]>,
    kvms: [Mutex<u8>; 2],
    mdevs: Mutex<Mdevs>,
    owners: std::sync::Mutex<Owners>,
}

impl World {
    fn new(mistake: Option<Mistake>) -> World {
        let device = || Mutex::new(Device { driver: Driver::Vfio, there: true });
        let matrices = [Masks { adapters: 0, domains: 0b01 }, Masks { adapters: 0b10, domains: 0 }];
        World {
            mistake,
            scan: Mutex::new(()),
            devices: [device(), device(), device(), device()],
            perms: Mutex::new(Masks { adapters: 0, domains: 0b11 }),
            guests: Mutex::new([false; 2]),
            kvms: [Mutex::new(0), Mutex::new(0)],
            mdevs: Mutex::new(Mdevs { matrices, bound: 0b1111 }),
            owners: std::sync::Mutex::default(),
        }
    }

    fn own(&self, change: impl FnOnce(&mut Owners)) {
        let mut owners = self.owners.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        change(&mut owners);
        assert!(owners.guest & owners.host == 0, "stolen: the host drives a queue that a guest owns");
    }

    fn set_apcb(&self, apcb: &mut u8, new: u8) {
        let old = std::mem::replace(apcb, new);
        self.own(|owners| owners.guest = owners.guest & !old | new);
    }

    fn mask_write(&self, adapters: u8) {
        let store = |masks: &mut Masks| masks.adapters |= adapters;
        {
            let mut perms = self.perms.lock().unwrap();
            let mut new = *perms;
            store(&mut new);
            let fresh = new.set() & !perms.set();
            if fresh != 0 {
                let _guests = self.guests.lock().unwrap();
                let mdevs = self.mdevs.lock().unwrap();
                if mdevs.matrices.iter().any(|matrix| matrix.set() & fresh != 0) {
                    return;
                }
            }
            if self.mistake != Some(Mistake::Theft) {
                store(&mut perms);
            }
        }
        if self.mistake == Some(Mistake::Theft) {
            store(&mut self.perms.lock().unwrap());
        }
        for queue in 0..QUEUES {
            let want = self.perms.lock().unwrap().owner(queue);
            let (there, have) = {
                let device = self.devices[queue].lock().unwrap();
                (device.there, device.driver)
            };
            if there && want != have {
                self.reprobe(queue);
            }
        }
    }

    fn reprobe(&self, queue: usize) {
        self.let_go(&mut self.devices[queue].lock().unwrap(), queue);
        let mut device = self.devices[queue].lock().unwrap();
        if device.driver != Driver::None || !device.there {
            return;
        }
        let want = self.perms.lock().unwrap().owner(queue);
        match want {
            Driver::Vfio => self.bind(queue, true),
            _ => self.own(|owners| owners.host |= 1 << queue),
        }
        device.driver = want;
    }

    fn let_go(&self, device: &mut Device, queue: usize) {
        match device.driver {
            Driver::Vfio => self.bind(queue, false),
            Driver::Default => self.own(|owners| owners.host &= !(1 << queue)),
            Driver::None => {}
        }
        device.driver = Driver::None;
    }

    fn bind(&self, queue: usize, bind: bool) {
        let guests = self.guests.lock().unwrap();
        let guest = guests.iter().position(|&open| open);
        let mut kvm = guest.map(|guest| self.kvms[guest].lock().unwrap());
        let mut mdevs = self.mdevs.lock().unwrap();
        let bit = 1 << queue;
        mdevs.bound = if bind { mdevs.bound | bit } else { mdevs.bound & !bit };
        if let (Some(kvm), Some(guest)) = (&mut kvm, guest) {
            self.set_apcb(kvm, mdevs.matrices[guest].set() & mdevs.bound);
        }
    }

    fn assign(&self, mdev: usize, adapters: u8, domains: u8) {
        let (perms, guests);
        if self.mistake == Some(Mistake::Deadlock) {
            guests = self.guests.lock().unwrap();
            perms = self.perms.lock().unwrap();
        } else {
            perms = self.perms.lock().unwrap();
            guests = self.guests.lock().unwrap();
        }
        let mut kvm = guests[mdev].then(|| self.kvms[mdev].lock().unwrap());
        let mut mdevs = self.mdevs.lock().unwrap();
        let old = mdevs.matrices[mdev];
        let new = Masks { adapters: old.adapters | adapters, domains: old.domains | domains };
        if (perms.set() | mdevs.matrices[1 - mdev].set()) & new.set() != 0 {
            return;
        }
        mdevs.matrices[mdev] = new;
        if let Some(kvm) = &mut kvm {
            self.set_apcb(kvm, new.set() & mdevs.bound);
        }
    }

    fn open(&self, mdev: usize) {
        let mut guests = self.guests.lock().unwrap();
        let mut kvm = self.kvms[mdev].lock().unwrap();
        let mdevs = self.mdevs.lock().unwrap();
        guests[mdev] = true;
        self.set_apcb(&mut kvm, mdevs.matrices[mdev].set() & mdevs.bound);
    }

    fn scan(&self, gone: usize) {
        let _scan = self.scan.lock().unwrap();
        let mut device = self.devices[gone].lock().unwrap();
        self.let_go(&mut device, gone);
        device.there = false;
    }

    fn operation(&self, number: usize) {
        match number {
            0 => self.mask_write(0b01),
            1 => self.assign(0, 0b01, 0),
            2 => self.scan(0),
            3 => self.assign(1, 0, 0b10),
            4 => self.mask_write(0b10),
            _ => self.open(0),
        }
    }
}

/// One execution: the first operation runs in this thread, each of the others in its own.
pub fn execution(tasks: usize, mistake: Option<Mistake>) {
    EXECUTIONS.fetch_add(1, Ordering::Relaxed);
    let world = Arc::new(World::new(mistake));
    let others: Vec<_> = (1..tasks)
        .map(|number| {
            let world = world.clone();
            thread::spawn(move || world.operation(number))
        })
        .collect();
    world.operation(0);
    others.into_iter().for_each(|other| other.join().unwrap());
    let perms = world.perms.lock().unwrap().set();
    let assigned = world.mdevs.lock().unwrap().matrices.iter().fold(0, |all, matrix| all | matrix.set());
    assert!(perms & assigned == 0, "stolen: a queue of the host's is assigned");
}

/// Runs a check and says in a line what it said, after how many executions and how long.
///
/// The first panic is what a tool found. It is told at once: what a tool does afterwards (unwind other threads, whose guards
/// it does not know any more) may end the process.
pub fn told(check: impl FnOnce() -> bool) {
    let began = std::time::Instant::now();
    let tell = move |says: &str| {
        let executions = EXECUTIONS.load(Ordering::Relaxed);
        println!("{says}; {executions} executions, {:.3} s", began.elapsed().as_secs_f64());
    };
    std::panic::set_hook(Box::new(move |panic| {
        let why = panic.payload_as_str().unwrap_or_default();
        tell(&format!("found: {}", why.lines().next().unwrap_or_default()));
        std::process::exit(0);
    }));
    tell(if check() { "clean, all of it" } else { "nothing found, not all of it" });
}
