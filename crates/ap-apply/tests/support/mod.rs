//! Random hosts and wishes, and processes that can be killed.
#![allow(dead_code)]

use std::cell::RefCell;
use std::rc::Rc;

use ap_apply::import::{Imported, import};
use ap_apply::tree::{Desk, Fault, Kind, Opener, Tree};
use ap_files::desired::{DesiredFile, DesiredMdev, MaskWish, Unlisted};
use ap_files::machine::{Mdev, built_in};
use ap_files::{MachineFile, boot};
use ap_plan::{Allow, Unplug};
use ap_sysfs::{Filesystem, Session};
use ap_types::{AdapterMask, DomainMask, Mask, Matrix, Uuid};

/// How often something random is tried: usually, with `APMATRIX_LONG=1`, and a twentieth of the usual with
/// `APMATRIX_SHORT=1`, which is for machines that are emulated.
pub fn rounds(usual: u64, long: u64) -> u64 {
    let set = |name: &str| std::env::var_os(name).is_some();
    match (set("APMATRIX_LONG"), set("APMATRIX_SHORT")) {
        (true, _) => long,
        (false, true) => usual.div_ceil(20),
        (false, false) => usual,
    }
}

/// All running guests may lose queues, or none.
pub fn allow(unplug: bool) -> Allow {
    Allow { unplug: if unplug { Unplug::Everybody } else { Unplug::Nobody } }
}

/// A random number generator that needs no library (xorshift64*).
pub struct Rng(pub u64);

impl Rng {
    pub fn of(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 33) % n
    }

    pub fn chance(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    /// Some of these.
    pub fn some<M>(&mut self, of: M, one_in: u64) -> M
    where
        M: Mask + IntoIterator<Item = M::Id> + FromIterator<M::Id>,
    {
        of.into_iter().filter(|_| self.chance(one_in)).collect()
    }
}

pub fn uuid(n: u8) -> Uuid {
    Uuid([n; 16])
}

pub fn machine(name: &str) -> MachineFile {
    MachineFile::parse(name, built_in(name).expect("it is there").text).expect("it is right")
}

/// Mdevs that fit the masks and each other.
pub fn random_mdevs(
    rng: &mut Rng,
    machine: &MachineFile,
    most: u64,
    apmask: AdapterMask,
    aqmask: DomainMask,
) -> Vec<Mdev> {
    let adapters: AdapterMask = machine.adapters.iter().map(|adapter| adapter.id).collect();
    let host = Matrix { adapters: apmask, domains: aqmask, ..Matrix::default() };
    let mut mdevs: Vec<Mdev> = Vec::new();
    for n in 0..rng.below(most + 1) {
        for _ in 0..4 {
            let matrix = Matrix {
                adapters: rng.some(adapters, 3),
                domains: rng.some(machine.domains, 2),
                control_domains: rng.some(machine.control_domains, 3),
            };
            let free = |mdev: &Mdev| !mdev.matrix.shares_queue(&matrix);
            if !host.shares_queue(&matrix) && mdevs.iter().all(free) {
                mdevs.push(Mdev { uuid: uuid(n as u8 + 1), matrix, control_by_default: false });
                break;
            }
        }
    }
    mdevs
}

pub fn random_masks(rng: &mut Rng, machine: &MachineFile) -> (AdapterMask, DomainMask) {
    let adapters: AdapterMask = machine.adapters.iter().map(|adapter| adapter.id).collect();
    let (mut apmask, mut aqmask) = (AdapterMask::ALL, DomainMask::ALL);
    if !rng.chance(4) {
        apmask -= rng.some(adapters, 2);
    }
    if rng.chance(2) {
        aqmask -= rng.some(machine.domains, 2);
    }
    (apmask, aqmask)
}

/// A host in a random state: masks, mdevs, some with running guests.
pub fn random_host(rng: &mut Rng, name: &str, guests: bool) -> Session {
    let mut machine = machine(name);
    (machine.apmask, machine.aqmask) = random_masks(rng, &machine);
    machine.mdevs = random_mdevs(rng, &machine, 4, machine.apmask, machine.aqmask);
    let mut session = boot(&machine).expect("it boots");
    if rng.chance(6) {
        // Somebody has unbound a queue by hand.
        let adapter = machine.adapters[rng.below(machine.adapters.len() as u64) as usize].id;
        if let Some(domain) = machine.domains.first() {
            let name = ap_types::Apqn::new(adapter, domain).to_string();
            for driver in ["cex4queue", "vfio_ap"] {
                let _ = Tree::write(&mut session, &format!("bus/ap/drivers/{driver}/unbind"), &name);
            }
        }
    }
    if guests {
        for mdev in machine.mdevs.iter().filter(|_| rng.chance(3)).collect::<Vec<_>>() {
            session.guest(&format!("start g{} {}", mdev.uuid.0[0], mdev.uuid)).expect("it starts");
        }
    }
    session
}

/// Something that a host could be asked to be.
pub fn random_wish(rng: &mut Rng, machine: &MachineFile) -> DesiredFile {
    let (apmask, aqmask) = match rng.chance(3) {
        true => (machine.apmask, machine.aqmask),
        false => random_masks(rng, machine),
    };
    let mdevs = random_mdevs(rng, machine, 4, apmask, aqmask);
    let mdev = |mdev: &Mdev| DesiredMdev {
        uuid: mdev.uuid,
        matrix: mdev.matrix,
        control_by_default: false,
        boot: None,
    };
    DesiredFile {
        unlisted: if rng.chance(2) { Unlisted::Keep } else { Unlisted::Remove },
        give: None,
        apmask: Some(MaskWish::Exactly(apmask)),
        aqmask: Some(MaskWish::Exactly(aqmask)),
        mdevs: mdevs.iter().map(mdev).collect(),
    }
}

pub fn read(session: &mut Session) -> Imported {
    import(session).unwrap_or_else(|error| panic!("{error}"))
}

/// How many calls a process may make before it is killed.
#[derive(Clone)]
pub struct Life(Rc<RefCell<(u64, u64)>>);

impl Life {
    pub fn of(calls: u64) -> Life {
        Life(Rc::new(RefCell::new((0, calls))))
    }

    pub fn calls(&self) -> u64 {
        self.0.borrow().0
    }

    /// Counts a call; the one that is too much, and all after it, do not return.
    fn call(&self) -> Result<bool, Fault> {
        let mut life = self.0.borrow_mut();
        life.0 += 1;
        let killed =
            Fault { path: String::new(), kind: Kind::Killed, name: "killed".into(), said: "killed".into() };
        match life.0.cmp(&life.1) {
            std::cmp::Ordering::Less => Ok(false),
            // The last call is made, and its answer never heard.
            std::cmp::Ordering::Equal => Ok(true),
            std::cmp::Ordering::Greater => Err(killed),
        }
    }

    fn heard<T>(&self, last: bool, answer: Result<T, Fault>) -> Result<T, Fault> {
        if last {
            return Err(Fault {
                path: String::new(),
                kind: Kind::Killed,
                name: "killed".into(),
                said: "killed".into(),
            });
        }
        answer
    }
}

pub struct Mortal<'a, T: ?Sized> {
    pub inner: &'a mut T,
    pub life: Life,
    /// What else happens before each call.
    pub meanwhile: Option<&'a mut dyn FnMut(&mut T)>,
}

impl<'a, T: ?Sized> Mortal<'a, T> {
    pub fn new(inner: &'a mut T, life: &Life) -> Mortal<'a, T> {
        Mortal { inner, life: life.clone(), meanwhile: None }
    }

    fn before(&mut self) -> Result<bool, Fault> {
        if let Some(meanwhile) = &mut self.meanwhile {
            meanwhile(self.inner);
        }
        self.life.call()
    }
}

impl<T: Tree + ?Sized> Tree for Mortal<'_, T> {
    fn read(&mut self, path: &str) -> Result<String, Fault> {
        let last = self.before()?;
        let answer = self.inner.read(path);
        self.life.heard(last, answer)
    }

    fn write(&mut self, path: &str, text: &str) -> Result<(), Fault> {
        let last = self.before()?;
        let answer = self.inner.write(path, text);
        self.life.heard(last, answer)
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, Fault> {
        let last = self.before()?;
        let answer = self.inner.list(path);
        self.life.heard(last, answer)
    }

    fn link(&mut self, path: &str) -> Result<String, Fault> {
        let last = self.before()?;
        let answer = self.inner.link(path);
        self.life.heard(last, answer)
    }

    fn openers(&mut self, group: &str) -> Vec<Opener> {
        match self.before() {
            Ok(_) => self.inner.openers(group),
            Err(_) => Vec::new(),
        }
    }

    fn sleep(&mut self, milliseconds: u64) {
        if self.before().is_ok() {
            self.inner.sleep(milliseconds);
        }
    }
}

impl<T: Desk + ?Sized> Desk for Mortal<'_, T> {
    fn take_lock(&mut self) -> Result<(), Fault> {
        let last = self.before()?;
        let answer = self.inner.take_lock();
        self.life.heard(last, answer)
    }

    fn lock_text(&mut self) -> Result<String, Fault> {
        let last = self.before()?;
        let answer = self.inner.lock_text();
        self.life.heard(last, answer)
    }

    fn drop_lock(&mut self) -> Result<(), Fault> {
        let last = self.before()?;
        let answer = self.inner.drop_lock();
        self.life.heard(last, answer)
    }

    fn lives(&mut self, pid: u32) -> bool {
        self.inner.lives(pid)
    }

    fn pid(&self) -> u32 {
        self.inner.pid()
    }

    fn journal(&mut self) -> Result<String, Fault> {
        let last = self.before()?;
        let answer = self.inner.journal();
        self.life.heard(last, answer)
    }

    fn append(&mut self, line: &str) -> Result<(), Fault> {
        let last = self.before()?;
        let answer = self.inner.append(line);
        self.life.heard(last, answer)
    }

    fn begin(&mut self, line: &str) -> Result<(), Fault> {
        let last = self.before()?;
        let answer = self.inner.begin(line);
        self.life.heard(last, answer)
    }

    fn now(&mut self) -> u64 {
        self.inner.now()
    }

    fn sleep(&mut self, milliseconds: u64) {
        self.inner.sleep(milliseconds);
    }
}

/// Lets resets end, and forgets what happened.
pub fn settle(session: &mut Session) {
    session.advance(2_000);
    drop(session.events());
    drop(session.changes());
}
