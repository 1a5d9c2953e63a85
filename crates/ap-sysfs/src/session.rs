//! A host and the one thread that drives it: calls, pending stores, machine time.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use ap_host::Host;
use ap_host::module::Module;
use ap_machine::Machine;
use ap_task::{Flag, Kernel, Task};
use ap_types::Uuid;
use ap_vfio::{DeviceInfo, Eventfd, IrqTarget, OpenStage, RequestError};
use locks::{Held, Nothing};

use crate::changes::changes_of;
use crate::control::{self, ControlError};
use crate::devices;
use crate::errno::Errno;
use crate::front::{self, Answer, Called, Change, Device, DeviceNumber, Entry, Filesystem, Ino, Token};
use crate::node::Dir;
use crate::ring::Ring;
use crate::runner::{Runner, TaskId, Waits};
use crate::tree::{Refused, Tree};

/// How much machine time a call may take before it is pending, in milliseconds: more than any reset that ends.
pub const PATIENCE: u64 = 60_000;

/// A host with its tree, driven from one thread.
///
/// An operation runs as a task on a stack of its own. Where it sleeps, machine time passes; where it waits for
/// another task, the call is pending and the answer comes later.
pub struct Session {
    tree: Rc<Tree>,
    ring: Rc<Ring>,
    runner: Runner,
    late: BTreeMap<TaskId, Late>,
    /// Where calls that did not return at once leave what they give back: a [`Slot`] of their type.
    calls: BTreeMap<Token, Box<dyn Any>>,
    finished: Vec<(Token, Answer)>,
    changes: Vec<Change>,
    panics: Vec<String>,
}

/// Where a task leaves its answer.
type Slot<T> = Rc<RefCell<Option<T>>>;

enum Late {
    Shown(Slot<Result<Vec<u8>, Errno>>, Ino),
    Stored(Slot<Result<usize, Errno>>, Ino),
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// A host on an empty machine, as transcripts begin, with the default kernel.
    #[must_use]
    pub fn new() -> Self {
        Self::with_kernel(Kernel::default())
    }

    /// A host with that kernel on an empty machine, as transcripts begin.
    #[must_use]
    pub fn with_kernel(kernel: Kernel) -> Self {
        let machine = Arc::new(Machine::new());
        let host = Arc::new(Host::with_kernel(machine.clone(), kernel));
        Self::over(host, machine)
    }

    /// A session over a host.
    #[must_use]
    pub fn over(host: Arc<Host>, machine: Arc<Machine>) -> Self {
        let ring = Rc::new(Ring::new(host.clone()));
        let tree = Tree::new(host, machine);
        *tree.controls.ring.borrow_mut() = Some(ring.clone());
        Session {
            tree: Rc::new(tree),
            ring,
            runner: Runner::default(),
            late: BTreeMap::new(),
            calls: BTreeMap::new(),
            finished: Vec::new(),
            changes: Vec::new(),
            panics: Vec::new(),
        }
    }

    /// The tree.
    #[must_use]
    pub fn tree(&self) -> &Rc<Tree> {
        &self.tree
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Arc<Host> {
        &self.tree.host
    }

    /// The machine's time, in milliseconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.tree.host.clock().now()
    }

    /// The last write to an attribute that was refused.
    #[must_use]
    pub fn refusal(&self) -> Option<Refused> {
        self.tree.controls.refusal.borrow().clone()
    }

    /// Whether no operation is under way.
    #[must_use]
    pub fn quiescent(&self) -> bool {
        self.runner.idle()
    }

    /// Panics of operations so far: each cost its caller one `EIO`.
    #[must_use]
    pub fn panics(&self) -> &[String] {
        &self.panics
    }

    /// Starts an operation as a task.
    fn start<R: 'static>(
        &mut self,
        body: impl FnOnce(&Tree, &mut Task<'_, Nothing>) -> R + 'static,
    ) -> (TaskId, Slot<R>) {
        let slot = Rc::new(RefCell::new(None));
        let (tree, ring, answer) = (self.tree.clone(), self.ring.clone(), slot.clone());
        let task = self.runner.start(move || {
            let result = locks::enter(|held| body(&tree, &mut Task::new(held, &*ring)));
            *answer.borrow_mut() = Some(result);
        });
        (task, slot)
    }

    /// Runs until `task` has ended, waits for another task, or `patience` milliseconds of machine time have passed
    /// beside those that it was told to let pass.
    fn drive(&mut self, task: TaskId, patience: u64) -> bool {
        let mut until = self.now().saturating_add(patience);
        loop {
            self.run();
            until = until.saturating_add(self.tree.controls.lets_pass.take());
            if self.runner.ended(task) {
                return true;
            }
            if matches!(self.runner.waits(task), Waits::Condition(_)) && self.runner.next_wake().is_none() {
                return false;
            }
            match self.next_time() {
                Some(next) if next <= until => self.pass_to(next),
                _ => return false,
            }
        }
    }

    /// Runs all tasks as far as they come, and notes what ended.
    fn run(&mut self) {
        self.runner.run();
        self.panics.extend(self.runner.panics().into_iter().map(|(_, text)| text));
        let ended: Vec<TaskId> = self.late.keys().copied().filter(|task| self.runner.ended(*task)).collect();
        for task in ended {
            // Whoever ended in a panic left nothing.
            let answer = self.late.remove(&task).map(|late| match late {
                Late::Shown(slot, _) => Answer::Shown(slot.take().unwrap_or(Err(Errno::EIO))),
                Late::Stored(slot, _) => Answer::Stored(slot.take().unwrap_or(Err(Errno::EIO))),
            });
            self.finished.extend(answer.map(|answer| (Token(task.0), answer)));
        }
    }

    fn next_time(&self) -> Option<u64> {
        let due = self.ring.next_due().map(|(at, _)| at);
        due.into_iter().chain(self.runner.next_wake()).min()
    }

    /// Moves the clock, wakes who slept until then, starts the work that is due then.
    fn pass_to(&mut self, time: u64) {
        self.tree.host.clock().advance_to(time);
        self.runner.wake_until(time);
        while let Some((at, work)) = self.ring.next_due() {
            if at > time {
                break;
            }
            self.ring.begin(work);
            self.start(move |tree, task| tree.host.run(work, task));
        }
    }

    /// Runs an operation on the host.
    ///
    /// What a call gives back that is [`Called::Pending`] is there to be taken ([`Session::returned`]) when it has
    /// returned; [`Filesystem::finished`] does not name it.
    ///
    /// # Errors
    /// `EIO` if the operation panics.
    pub fn call<R: 'static>(
        &mut self,
        body: impl FnOnce(&Tree, &mut Task<'_, Nothing>) -> R + 'static,
    ) -> Called<R> {
        match self.attempt(body) {
            Ok(answer) => Called::Done(answer),
            Err((task, slot)) => {
                let token = Token(task.0);
                self.calls.insert(token, Box::new(slot));
                Called::Pending(token)
            }
        }
    }

    /// Takes what a call of [`Session::call`] gave back that was pending; `None` while it has not returned, and if it
    /// was taken, or is of another type.
    ///
    /// # Errors
    /// `EIO` if the operation ended in a panic.
    pub fn returned<R: 'static>(&mut self, token: Token) -> Option<Result<R, Errno>> {
        if !self.runner.ended(TaskId(token.0)) || !self.calls.get(&token)?.is::<Slot<R>>() {
            return None;
        }
        let slot = self.calls.remove(&token)?.downcast::<Slot<R>>().ok()?;
        Some(slot.take().ok_or(Errno::EIO))
    }

    /// Runs an operation; where it leaves its answer, if that is not there yet.
    fn attempt<R: 'static>(
        &mut self,
        body: impl FnOnce(&Tree, &mut Task<'_, Nothing>) -> R + 'static,
    ) -> Result<Result<R, Errno>, (TaskId, Slot<R>)> {
        let (task, slot) = self.start(body);
        if self.drive(task, PATIENCE) { Ok(slot.take().ok_or(Errno::EIO)) } else { Err((task, slot)) }
    }

    /// Runs an operation whose answer counts only if it comes at once: `EAGAIN` if it waits. It goes on all the same.
    fn now_or_again<R: 'static, E>(
        &mut self,
        body: impl FnOnce(&Tree, &mut Task<'_, Nothing>) -> Result<R, E> + 'static,
    ) -> Result<R, Errno>
    where
        Errno: From<E>,
        E: 'static,
    {
        match self.attempt(body) {
            Ok(answer) => Ok(answer??),
            Err(_) => Err(Errno::EAGAIN),
        }
    }

    /// Looks at the tree. With no task under way nothing can be in the way, and it runs here and now.
    fn look<R: 'static>(
        &mut self,
        body: impl FnOnce(&Tree, &mut Held<'_, Nothing>) -> Result<R, Errno> + 'static,
    ) -> Result<R, Errno> {
        if self.runner.idle() {
            return locks::enter(|held| body(&self.tree, held));
        }
        match self.attempt(|tree, task| body(tree, task)) {
            Ok(answer) => answer?,
            Err(_) => Err(Errno::EAGAIN),
        }
    }

    /// A store that may take `patience` milliseconds of machine time before it is pending.
    pub fn store_within(&mut self, ino: Ino, data: &[u8], patience: u64) -> Called<usize> {
        let data = data.to_vec();
        let (task, slot) = self.start(move |tree, task| tree.store_and_keep(ino, &data, task));
        if self.drive(task, patience) {
            Called::Done(slot.take().unwrap_or(Err(Errno::EIO)))
        } else {
            self.late.insert(task, Late::Stored(slot, ino));
            Called::Pending(Token(task.0))
        }
    }

    /// A read that may take `patience` milliseconds of machine time before it is pending.
    pub fn show_within(&mut self, ino: Ino, patience: u64) -> Called<Vec<u8>> {
        let (task, slot) = self.start(move |tree, task| tree.show(ino, task));
        if self.drive(task, patience) {
            Called::Done(slot.take().unwrap_or(Err(Errno::EIO)))
        } else {
            self.late.insert(task, Late::Shown(slot, ino));
            Called::Pending(Token(task.0))
        }
    }

    /// What the machine's operator does (`INTERFACES.md`, hw).
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn hw(&mut self, line: &str) -> Result<String, ControlError> {
        let line = line.to_owned();
        self.control(move |tree, task| control::hw(tree, &line, task))
    }

    /// What guests do (`INTERFACES.md`, guest).
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn guest(&mut self, line: &str) -> Result<String, ControlError> {
        let line = line.to_owned();
        self.control(move |tree, task| control::guest(tree, &line, task))
    }

    fn control(
        &mut self,
        body: impl FnOnce(&Tree, &mut Task<'_, Nothing>) -> Result<String, ControlError> + 'static,
    ) -> Result<String, ControlError> {
        match self.attempt(body) {
            Ok(Ok(result)) => result,
            Ok(Err(errno)) => Err(ControlError::errno(errno, "the operation failed")),
            Err(_) => Err(ControlError::errno(Errno::EAGAIN, "it waits for something and goes on later")),
        }
    }

    /// A command of the machine, in the transcripts' words; `pqap` is a guest's.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn machine(&mut self, command: &str) -> Result<(), ControlError> {
        let line = if command.starts_with("pqap ") { command.to_owned() } else { format!("raw {command}") };
        self.hw(&line).map(|_| ())
    }

    /// Loads a module.
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT`, `ENODEV`, `EINVAL`; `ENOENT` for an unknown module.
    pub fn insmod(&mut self, module: &str, parameters: &str) -> Result<(), Errno> {
        let module = Module::from_name(module).ok_or(Errno::ENOENT)?;
        let parameters = parameters.to_owned();
        self.now_or_again(move |tree, task| tree.host.load_module(module, &parameters, task))
    }

    /// Unloads a module.
    ///
    /// # Errors
    /// `EAGAIN`, `ENOENT`.
    pub fn rmmod(&mut self, module: &str) -> Result<(), Errno> {
        let module = Module::from_name(module).ok_or(Errno::ENOENT)?;
        self.now_or_again(move |tree, task| tree.host.unload_module(module, task))
    }

    /// A guest opens an mdev; the error says how far it came.
    ///
    /// # Errors
    /// `ENOENT`, `EBUSY`, `EINVAL`, `EPERM`, with the stage.
    pub fn guest_open(&mut self, uuid: &str, name: &str) -> Result<(), (Errno, OpenStage)> {
        let Ok(uuid) = parse_uuid(uuid) else { return Err((Errno::ENOENT, OpenStage::IommuGroup)) };
        let name = name.to_owned();
        match self.attempt(move |tree, task| tree.host.vfio.guest_open(&uuid, &name, task)) {
            Ok(Ok(opened)) => opened.map_err(|error| (Errno::from(error), error.stage())),
            Ok(Err(errno)) => Err((errno, OpenStage::Device)),
            Err(_) => Err((Errno::EAGAIN, OpenStage::Device)),
        }
    }

    /// A guest closes an mdev.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn guest_close(&mut self, uuid: &str) -> Result<(), Errno> {
        let uuid = parse_uuid(uuid)?;
        self.now_or_again(move |tree, task| tree.host.vfio.guest_close(&uuid, None, task))
    }

    /// A guest resets its device.
    ///
    /// # Errors
    /// `EIO`, `ENOENT`.
    pub fn guest_reset(&mut self, uuid: &str) -> Result<(), Errno> {
        let uuid = parse_uuid(uuid)?;
        self.now_or_again(move |tree, task| tree.host.vfio.guest_reset(&uuid, None, task))
    }

    /// A guest asks about its device.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn guest_info(&mut self, uuid: &str) -> Result<DeviceInfo, Errno> {
        let uuid = parse_uuid(uuid)?;
        self.now_or_again(move |tree, task| tree.host.vfio.guest_info(&uuid, None, task))
    }

    /// A guest registers its request interrupt.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn guest_request_irq(&mut self, uuid: &str) -> Result<(), Errno> {
        let uuid = parse_uuid(uuid)?;
        self.now_or_again(move |tree, task| tree.host.vfio.guest_request_irq(&uuid, None, true, task))
    }

    /// How often a guest was asked to let go since the last question.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn guest_event_count(&mut self, uuid: &str) -> Result<u64, Errno> {
        let uuid = parse_uuid(uuid)?;
        self.now_or_again(move |tree, task| tree.host.vfio.guest_event_count(&uuid, None, task))
    }

    /// A guest asks about a region of its device.
    ///
    /// # Errors
    /// `EOPNOTSUPP` or `EINVAL`, `ENOENT`: there is none.
    pub fn guest_region_info(&mut self, uuid: &str) -> Result<Infallible, Errno> {
        let uuid = parse_uuid(uuid)?;
        self.now_or_again(move |tree, task| tree.host.vfio.guest_region_info(&uuid, None, task))
    }

    /// A guest registers its configuration interrupt, or takes it back.
    ///
    /// # Errors
    /// `EINVAL`, `ENOENT`.
    pub fn guest_config_irq(&mut self, uuid: &str, target: IrqTarget) -> Result<(), Errno> {
        let uuid = parse_uuid(uuid)?;
        self.now_or_again(move |tree, task| tree.host.vfio.guest_config_irq(&uuid, None, target, task))
    }

    /// How often a guest's configuration interrupt was signalled since the last question.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn guest_config_count(&mut self, uuid: &str) -> Result<u64, Errno> {
        let uuid = parse_uuid(uuid)?;
        self.now_or_again(move |tree, task| tree.host.vfio.guest_config_count(&uuid, None, task))
    }

    /// What a guest registered last for its configuration interrupt; it outlives the close.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn guest_config_eventfd(&mut self, uuid: &str) -> Result<Option<Eventfd>, Errno> {
        let uuid = parse_uuid(uuid)?;
        self.now_or_again(move |tree, task| tree.host.vfio.guest_config_eventfd(&uuid, None, task))
    }

    /// How often what was registered was signalled since the last question.
    ///
    /// # Errors
    /// `ENOENT`: the mdev's name is none.
    pub fn eventfd_count(&mut self, uuid: &str, eventfd: Eventfd) -> Result<u64, Errno> {
        let uuid = parse_uuid(uuid)?;
        self.now_or_again(move |tree, task| {
            Ok::<_, RequestError>(tree.host.vfio.eventfd_count(&uuid, eventfd, task))
        })
    }

    /// The lines by which `fdinfo` of an open device names it; none where the kernel doesn't.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn guest_fdinfo(&mut self, uuid: &str) -> Result<Vec<String>, Errno> {
        let uuid = parse_uuid(uuid)?;
        self.now_or_again(move |tree, task| {
            tree.host.vfio.guest_info(&uuid, None, task)?;
            let named = tree.host.kernel().has(Flag::DeviceSyspath);
            let line = format!("vfio-device-syspath: /sys/devices/vfio_ap/matrix/{uuid}");
            Ok::<_, RequestError>(named.then_some(line).into_iter().collect())
        })
    }

    /// Makes a guest, without an APCB if `has_apcb` is false.
    pub fn make_guest(&mut self, name: &str, has_apcb: bool) {
        let name = name.to_owned();
        let _made = self.attempt(move |tree, task| tree.host.vfio.make_guest(&name, has_apcb, task));
    }
}

fn parse_uuid(text: &str) -> Result<Uuid, Errno> {
    ap_types::grammar::uuid(text.as_bytes()).map_err(|_| Errno::ENOENT)
}

impl Session {
    /// That a queue's reset does not end, as far as the log tells: the last line of one, while something sleeps. That it
    /// is this reset that is waited for is likely, and not known.
    fn waits_for_reset(&self) -> Option<String> {
        self.runner.next_wake()?;
        let line = self.ring.last_reset()?;
        let queue = line.split("of queue ").nth(1)?.split(' ').next()?.to_owned();
        Some(format!(
            "a call waits, as it seems for the reset of queue {queue} to end: the log's last word of one is `{line}`. If a fault \
             makes the queue answer so, `apmatrix hw fault {queue} rc=0` ends it"
        ))
    }
}

impl Filesystem for Session {
    fn lookup(&mut self, parent: Ino, name: &str) -> Result<Entry, Errno> {
        let dir = Dir::from_ino(parent)?;
        let name = name.to_owned();
        self.look(move |tree, held| tree.lookup(dir, &name, held))
    }

    fn entry(&mut self, ino: Ino) -> Result<Entry, Errno> {
        self.look(move |tree, held| tree.entry(ino, held))
    }

    fn parent(&mut self, ino: Ino) -> Result<Ino, Errno> {
        self.look(move |tree, held| tree.parent(ino, held))
    }

    fn entries(&mut self, directory: Ino) -> Result<Vec<Entry>, Errno> {
        let dir = Dir::from_ino(directory)?;
        self.look(move |tree, held| tree.entries(dir, held))
    }

    fn readlink(&mut self, ino: Ino) -> Result<String, Errno> {
        self.look(move |tree, held| tree.readlink(ino, held))
    }

    fn show(&mut self, ino: Ino) -> Called<Vec<u8>> {
        self.show_within(ino, PATIENCE)
    }

    fn store(&mut self, ino: Ino, data: &[u8]) -> Called<usize> {
        self.store_within(ino, data, PATIENCE)
    }

    fn finished(&mut self) -> Vec<(Token, Answer)> {
        std::mem::take(&mut self.finished)
    }

    fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    fn events(&mut self) -> Vec<front::Event> {
        let events = self.ring.take();
        for event in &events {
            changes_of(&self.tree, event, &mut self.changes);
        }
        events.iter().map(front::Event::from).collect()
    }

    fn devices(&mut self) -> Vec<Device> {
        self.look(|tree, held| Ok(devices::all(tree, held))).unwrap_or_default()
    }

    fn ioctl(&mut self, device: DeviceNumber, request: u32, _input: &[u8]) -> Result<Vec<u8>, Errno> {
        self.look(move |tree, held| devices::ioctl(tree, device, request, held))
    }

    fn directories(&mut self, directory: Ino) -> Result<usize, Errno> {
        let dir = Dir::from_ino(directory)?;
        // Most directories never have any.
        if !Tree::may_have_directories(dir) {
            return Ok(0);
        }
        self.look(move |tree, held| tree.directories(dir, held))
    }

    fn departed(&mut self, ino: Ino) -> Option<Entry> {
        self.tree.departed(ino)
    }

    fn waits_for(&mut self, token: Token) -> Option<String> {
        let task = TaskId(token.0);
        let (Late::Shown(_, ino) | Late::Stored(_, ino)) = self.late.get(&task)?;
        let ino = *ino;
        let sleeps = matches!(self.runner.waits(task), Waits::Until(_));
        let mut guest = || self.look(move |tree, held| Ok(tree.waits_for(ino, held))).ok().flatten();
        // Whoever waits for a reset holds what others want to look at.
        if sleeps { None } else { guest() }.or_else(|| self.waits_for_reset())
    }

    fn advance(&mut self, milliseconds: u64) {
        let until = self.now().saturating_add(milliseconds);
        self.run();
        while let Some(next) = self.next_time().filter(|next| *next <= until) {
            self.pass_to(next);
            self.run();
        }
        self.tree.host.clock().advance_to(until);
    }

    fn next_due(&self) -> Option<u64> {
        self.next_time().map(|at| at.saturating_sub(self.now()))
    }
}
