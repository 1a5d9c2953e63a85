//! Cards and queues as devices of the bus, and what a driver of them is. (Specification, pages 1 and 2.)
//!
//! A device's state says which driver it is bound to, and a driver is given devices: the two are defined together.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

use ap_machine::AdapterFacts;
use ap_task::order::{Device, Devices, Perms, Queue, Scan};
use ap_task::state::Unhashed;
use ap_task::{DriverName, Subject, Task};
use ap_types::{AdapterId, Apqn, HostConfig, Mode};
use locks::{After, Held, Key, Mutex};

use crate::asked::{Asked, Holder};
use crate::remembered::Remembered;

/// What a driver drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// Cards.
    Card,
    /// Queues.
    Queue,
}

/// Whether a queue is given to somebody whom a reset would disturb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Use {
    /// It is not: the bus may reset it.
    Free,
    /// It is: the bus must leave it alone.
    Lent,
}

/// What goes on with a queue whose [`Use`] stays as it is meanwhile.
pub type Steady<'a> = dyn FnMut(Use, &mut Task<'_, Devices>) + 'a;

/// That a queue is to be taken from its driver.
///
/// A mask write that decided so holds P, so that nobody decides otherwise before it is done.
pub trait Decided {
    /// Lets P go before the queue is taken. Whoever does that holds what keeps everybody from beginning to use the
    /// queue on the strength of other masks until it is gone. What he has observed by then must not decide what he does
    /// later: an exploration takes it for forgotten, with what the masks said.
    fn release(&mut self);
}

/// A driver of the AP bus.
///
/// The bus calls it with the locks that the signatures name, and with none that come after those in the order
/// ([`ap_task::order`]). A driver keeps its own data under levels after [`Perms`].
pub trait ApDriver: Send + Sync {
    /// Its name: the directory's below `/sys/bus/ap/drivers`.
    fn name(&self) -> DriverName;

    /// The name of the module that it belongs to.
    fn module(&self) -> &'static str;

    /// What it drives.
    fn drives(&self) -> DeviceKind {
        DeviceKind::Queue
    }

    /// Whether it takes what apmask and aqmask reserve for the host's default drivers (then it takes nothing else).
    fn is_default(&self) -> bool {
        false
    }

    /// Whether it takes a card. Asked of drivers of cards only; D of the card and P are held.
    fn probe_card(&self, _card: &Card, _task: &mut Task<'_, Perms>) -> bool {
        false
    }

    /// Takes a queue, or refuses it (`false`). D of the queue and P are held: the masks allow it, and stay as they
    /// are until it has answered.
    fn probe(&self, queue: &Arc<QueueDevice>, task: &mut Task<'_, Perms>) -> bool;

    /// Gives a queue back. Nobody uses it any more when it returns, however long that takes; the bus resets the queue
    /// then. A driver that takes its time says when nobody uses the queue any more ([`QueueDevice::let_go`]): from
    /// then on the bus polls it. D of the queue is held, and P where a mask write takes the queue, which such a driver
    /// lets go ([`Decided::release`]) as soon as nobody can begin to use the queue any more.
    fn remove(&self, _queue: &Arc<QueueDevice>, _decided: &mut dyn Decided, _task: &mut Task<'_, Perms>) {}

    /// Whether a queue that is asked about is in use, and whose it is: the veto. P is held from the question until
    /// the mask is stored.
    fn in_use(&self, _asked: &Asked, _task: &mut Task<'_, Perms>) -> Option<Holder> {
        None
    }

    /// Runs `act` with the use of a queue, which stays so until `act` returns. Called once for each call. D of the
    /// queue is held, or `act` looks itself whether the queue still has this driver.
    fn steady(&self, _queue: Apqn, task: &mut Task<'_, Device>, act: &mut Steady<'_>) {
        act(Use::Free, &mut task.at());
    }

    /// The host configuration changes; the scan has not made or removed a device yet. S is held.
    fn config_changed(&self, _new: &HostConfig, _old: &HostConfig, _task: &mut Task<'_, Scan>) {}

    /// The scan that saw the host configuration change is over. S is held.
    fn scan_complete(&self, _task: &mut Task<'_, Scan>) {}
}

/// What is shown of a registered driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DriverInfo {
    /// Its name.
    pub name: DriverName,
    /// The name of its module.
    pub module: &'static str,
}

/// A driver that is registered, or that has a device. Two are equal if they have one name.
#[derive(Clone)]
pub struct Driver {
    driver: Arc<dyn ApDriver>,
    /// [`ApDriver::is_default`], which never changes, asked once.
    default: bool,
}

impl Driver {
    /// What is shown of it.
    #[must_use]
    pub fn info(&self) -> DriverInfo {
        DriverInfo { name: self.name(), module: self.module() }
    }

    /// That driver.
    #[must_use]
    pub fn new(driver: Arc<dyn ApDriver>) -> Driver {
        let default = driver.is_default();
        Driver { driver, default }
    }

    /// Whether it takes what the masks reserve for the host's default drivers.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.default
    }
}

impl std::ops::Deref for Driver {
    type Target = dyn ApDriver;
    fn deref(&self) -> &(dyn ApDriver + 'static) {
        &*self.driver
    }
}

impl PartialEq for Driver {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.driver, &other.driver) || self.name() == other.name()
    }
}

impl Eq for Driver {}

impl Hash for Driver {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Driver({})", self.name())
    }
}

/// That a device is bound.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Binding {
    /// To whom.
    pub driver: Driver,
    /// When: greater is later.
    pub since: Unhashed<u64>,
}

/// A device of the AP bus, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeviceName {
    /// A card.
    Card(AdapterId),
    /// A queue.
    Queue(Apqn),
}

impl DeviceName {
    /// Parses `cardAA` or `AA.DDDD`.
    #[must_use]
    pub fn parse(text: &str) -> Option<DeviceName> {
        match text.strip_prefix("card") {
            Some(hex) if hex.len() == 2 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) => {
                u8::from_str_radix(hex, 16).ok().map(|id| DeviceName::Card(AdapterId(id)))
            }
            Some(_) => None,
            None => text.parse().ok().map(DeviceName::Queue),
        }
    }

    /// The key of its locks of levels D and A: queues by APQN, cards above them.
    #[must_use]
    pub fn key(self, generation: u32) -> Key {
        let id = match self {
            DeviceName::Queue(apqn) => u32::from(apqn.to_u16()),
            DeviceName::Card(id) => 0x1_0000 | u32::from(id.0),
        };
        Key { id, generation }
    }
}

/// A card device: one adapter.
pub struct Card {
    /// Which adapter.
    pub id: AdapterId,
    /// Which card device of that adapter, counted over time.
    pub generation: u32,
    /// When it was made, among all devices.
    pub made: u64,
    /// The type that drivers match (mapped where the real one is unknown).
    pub hwtype: u8,
    /// The type that the machine says.
    pub raw_hwtype: u8,
    /// The functions word as it was when the device was made, bind state masked out.
    pub functions: u32,
    /// Queue depth, as the kernel shows it.
    pub depth: u8,
    /// Maximum message size in bytes.
    pub max_message: u32,
    /// The mode.
    pub mode: Mode,
    /// **D**: whether the device is still there; held over bind and unbind.
    pub device: Mutex<Device, bool>,
    /// **A**.
    pub state: Mutex<Queue, CardState>,
}

/// What changes about a card.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CardState {
    /// Its driver.
    pub binding: Option<Binding>,
    /// Configured.
    pub config: bool,
    /// Checkstopped.
    pub chkstop: bool,
    /// Switched on (counts while a driver of cards has it).
    pub online: bool,
    /// What the adapter last told about itself, where the kernel keeps it.
    pub told: Option<Arc<AdapterFacts>>,
}

/// A queue device.
pub struct QueueDevice {
    /// Itself, for who is to know it longer than a call lasts.
    pub(crate) this: Weak<QueueDevice>,
    /// Which queue.
    pub apqn: Apqn,
    /// Which queue device of that APQN, counted over time.
    pub generation: u32,
    /// Its card.
    pub card: Arc<Card>,
    /// When it was made, among all devices.
    pub made: u64,
    /// Whether it has the attributes that queues have under Secure Execution.
    pub secure_execution: bool,
    /// Whether the bus has its adapter interrupts enabled after a reset.
    pub interrupts: bool,
    /// Whether it has a `driver_override`, which the kernel decides.
    pub overridable: bool,
    /// **D**: whether the device is still there; held over probe and remove.
    pub device: Mutex<Device, bool>,
    /// **A**.
    pub state: Mutex<Queue, QueueState>,
}

/// What a queue is to the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DevState {
    /// No driver made use of it yet, or the last one let it go.
    Uninitiated,
    /// In use.
    Operating,
    /// Being taken from its driver, which may still have lent it.
    ShuttingDown,
    /// Being taken from its driver, which has it lent to nobody any more ([`QueueDevice::let_go`]).
    LetGo,
    /// An instruction failed.
    Error,
}

/// Where the queue's state machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sm {
    /// A reset is to be started.
    ResetStart,
    /// A reset runs.
    ResetWait,
    /// Interrupts are being enabled.
    SetIrqWait,
    /// Nothing to do.
    Idle,
}

/// What changes about a queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueueState {
    /// Its driver.
    pub binding: Option<Binding>,
    /// Configured.
    pub config: bool,
    /// Checkstopped.
    pub chkstop: bool,
    /// What it is to the bus.
    pub state: DevState,
    /// Its state machine.
    pub sm: Sm,
    /// Switched on (counts while `cex4queue` has it).
    pub online: bool,
    /// What the adapter last told through it, where the kernel keeps it.
    pub told: Option<Arc<AdapterFacts>>,
    /// What the bus remembers of its binding under Secure Execution.
    pub secure: Remembered,
}

fn name_of(binding: &Option<Binding>) -> Option<DriverName> {
    binding.as_ref().map(|binding| binding.driver.name())
}

impl CardState {
    /// The name of its driver.
    #[must_use]
    pub fn driver(&self) -> Option<DriverName> {
        name_of(&self.binding)
    }
}

impl QueueState {
    /// The name of its driver.
    #[must_use]
    pub fn driver(&self) -> Option<DriverName> {
        name_of(&self.binding)
    }

    /// Whether a default driver has it.
    #[must_use]
    pub fn is_hosts(&self) -> bool {
        self.binding.as_ref().is_some_and(|binding| binding.driver.is_default())
    }
}

impl Card {
    /// Whether its mode is one that the host's drivers know.
    #[must_use]
    pub fn has_mode(&self) -> bool {
        self.mode != Mode::None
    }

    /// What uevents about it are about.
    #[must_use]
    pub fn subject(&self, driver: Option<DriverName>) -> Subject {
        Subject::Card {
            adapter: self.id,
            generation: self.generation,
            hwtype: self.hwtype,
            mode: self.mode,
            driver,
        }
    }
}

impl QueueDevice {
    /// Whether it has a driver.
    ///
    /// # Locks
    /// A.
    #[track_caller]
    pub(crate) fn is_bound<H>(&self, held: &mut Held<'_, H>) -> bool
    where
        Queue: After<H>,
    {
        self.state.look(held, |state| state.binding.is_some())
    }

    /// What uevents about it are about.
    #[must_use]
    pub fn subject(&self, driver: Option<DriverName>) -> Subject {
        Subject::Queue {
            apqn: self.apqn,
            generation: self.generation,
            card_generation: self.card.generation,
            mode: self.card.mode,
            driver,
        }
    }
}

/// A card is itself and no other.
impl PartialEq for Card {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Card {}

/// What cards are told apart by: which device it is over time, and its state, which is a part of its own, are not.
impl Hash for Card {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let Card {
            id,
            generation: _,
            made: _,
            hwtype,
            raw_hwtype,
            functions,
            depth,
            max_message,
            mode,
            device: _,
            state: _,
        } = self;
        (id, hwtype, raw_hwtype, functions, depth, max_message, mode).hash(hasher);
    }
}

/// A queue device is itself and no other.
impl PartialEq for QueueDevice {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for QueueDevice {}

/// As with cards; its card is hashed where cards are.
impl Hash for QueueDevice {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let QueueDevice {
            this: _,
            apqn,
            generation: _,
            card: _,
            made: _,
            secure_execution,
            interrupts,
            overridable,
            device: _,
            state: _,
        } = self;
        (apqn, secure_execution, interrupts, overridable).hash(hasher);
    }
}

/// What looks at bindings count: also since when.
fn exactly(binding: &Option<Binding>) -> u64 {
    locks::hook::fingerprint(&binding.as_ref().map(|binding| (binding.driver.name(), *binding.since)))
}

/// What devices are told apart by over time.
pub(crate) trait IsDevice {
    /// Its name, and which device of that name it is.
    fn which(&self) -> (DeviceName, u32);
}

impl IsDevice for Arc<Card> {
    fn which(&self) -> (DeviceName, u32) {
        (DeviceName::Card(self.id), self.generation)
    }
}

impl IsDevice for Arc<QueueDevice> {
    fn which(&self) -> (DeviceName, u32) {
        (DeviceName::Queue(self.apqn), self.generation)
    }
}

impl IsDevice for DeviceRef {
    fn which(&self) -> (DeviceName, u32) {
        (self.name(), self.generation())
    }
}

/// A device of the AP bus.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum DeviceRef {
    /// A card.
    Card(Arc<Card>),
    /// A queue.
    Queue(Arc<QueueDevice>),
}

impl DeviceRef {
    /// How it is bound.
    ///
    /// # Locks
    /// A of the device.
    pub fn binding<H>(&self, held: &mut Held<'_, H>) -> Option<Binding>
    where
        Queue: After<H>,
    {
        match self {
            DeviceRef::Card(card) => card.state.look_by(held, |state| state.binding.clone(), exactly),
            DeviceRef::Queue(queue) => queue.state.look_by(held, |state| state.binding.clone(), exactly),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> DeviceName {
        match self {
            DeviceRef::Card(card) => DeviceName::Card(card.id),
            DeviceRef::Queue(queue) => DeviceName::Queue(queue.apqn),
        }
    }

    /// Which device of that name, counted over time.
    #[must_use]
    pub fn generation(&self) -> u32 {
        match self {
            DeviceRef::Card(card) => card.generation,
            DeviceRef::Queue(queue) => queue.generation,
        }
    }

    /// What kind of device it is.
    #[must_use]
    pub fn kind(&self) -> DeviceKind {
        match self {
            DeviceRef::Card(_) => DeviceKind::Card,
            DeviceRef::Queue(_) => DeviceKind::Queue,
        }
    }
}
