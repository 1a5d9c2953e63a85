//! A host and the one thread that drives it: calls, pending stores, machine time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use ap_host::module::Module;
use ap_host::vfio_ap::{DeviceInfo, OpenError, OpenStage};
use ap_host::{Host, Machine, Sink, Work};
use ap_types::Uuid;
use locks::{Held, Nothing};

use crate::changes::changes_of;
use crate::control::{self, ControlError};
use crate::errno::Errno;
use crate::front::{self, Answer, Called, Change, Entry, Filesystem, Ino, Token};
use crate::node::{Dir, Node};
use crate::ring::Ring;
use crate::runner::{Runner, TaskId, Waits};
use crate::tree::Tree;

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
    finished: Vec<(Token, Answer)>,
    changes: Vec<Change>,
    panics: Vec<String>,
}

/// Where a task leaves its answer.
type Slot<T> = Rc<RefCell<Option<T>>>;

enum Late {
    Shown(Slot<Result<Vec<u8>, Errno>>),
    Stored(Slot<Result<usize, Errno>>),
    Other,
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// A host on an empty machine, as transcripts begin.
    #[must_use]
    pub fn new() -> Self {
        let machine = Arc::new(Machine::new());
        let host = Arc::new(Host::new(machine.clone()));
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
        self.tree.host.clock.now()
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
        body: impl FnOnce(&Tree, &mut Held<'_, Nothing>, &dyn Sink) -> R + 'static,
    ) -> (TaskId, Slot<R>) {
        let slot = Rc::new(RefCell::new(None));
        let (tree, ring, answer) = (self.tree.clone(), self.ring.clone(), slot.clone());
        let task = self.runner.start(move || {
            let result = locks::enter(|held| body(&tree, held, &*ring));
            *answer.borrow_mut() = Some(result);
        });
        (task, slot)
    }

    /// Runs until `task` has ended, waits for another task, or `patience` milliseconds of machine time have passed.
    fn drive(&mut self, task: TaskId, patience: u64) -> bool {
        let until = self.now().saturating_add(patience);
        loop {
            self.run();
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

    fn run(&mut self) {
        self.runner.run();
        for (task, text) in self.runner.panics() {
            self.panics.push(text);
            match self.late.remove(&task) {
                Some(Late::Shown(_)) => {
                    self.finished.push((Token(task.0), Answer::Shown(Err(Errno::EIO))));
                }
                Some(Late::Stored(_)) => {
                    self.finished.push((Token(task.0), Answer::Stored(Err(Errno::EIO))));
                }
                Some(Late::Other) | None => {}
            }
        }
        let ended: Vec<TaskId> = self.late.keys().copied().filter(|task| self.runner.ended(*task)).collect();
        for task in ended {
            let token = Token(task.0);
            match self.late.remove(&task) {
                Some(Late::Shown(slot)) => {
                    let answer = slot.take().unwrap_or(Err(Errno::EIO));
                    self.finished.push((token, Answer::Shown(answer)));
                }
                Some(Late::Stored(slot)) => {
                    let answer = slot.take().unwrap_or(Err(Errno::EIO));
                    self.finished.push((token, Answer::Stored(answer)));
                }
                Some(Late::Other) | None => {}
            }
        }
    }

    fn next_time(&self) -> Option<u64> {
        let due = self.ring.next_due().map(|(at, _)| at);
        due.into_iter().chain(self.runner.next_wake()).min()
    }

    /// Moves the clock, wakes who slept until then, starts the work that is due then.
    fn pass_to(&mut self, time: u64) {
        self.tree.host.clock.advance_to(time);
        self.runner.wake_until(time);
        while let Some((at, work)) = self.ring.next_due() {
            if at > time {
                break;
            }
            self.ring.begin(work);
            self.start(move |tree, held, out| match work {
                Work::Poll => tree.host.poll(held, out),
                Work::Scan => tree.host.periodic_scan(held, out),
                Work::Relay => tree.host.relay_requests(held, out),
            });
        }
    }

    /// Runs an operation on the host.
    pub fn call<R: 'static>(
        &mut self,
        body: impl FnOnce(&Tree, &mut Held<'_, Nothing>, &dyn Sink) -> R + 'static,
    ) -> Called<R> {
        let (task, slot) = self.start(body);
        if self.drive(task, PATIENCE) {
            Called::Done(slot.take().ok_or(Errno::EIO))
        } else {
            self.late.insert(task, Late::Other);
            Called::Pending(Token(task.0))
        }
    }

    /// The same, flattened: an operation that must not stay pending (`EAGAIN` if it does).
    fn now_or_again<R: 'static, E>(
        &mut self,
        body: impl FnOnce(&Tree, &mut Held<'_, Nothing>, &dyn Sink) -> Result<R, E> + 'static,
    ) -> Result<R, Errno>
    where
        Errno: From<E>,
        E: 'static,
    {
        match self.call(body) {
            Called::Done(Ok(Ok(value))) => Ok(value),
            Called::Done(Ok(Err(error))) => Err(Errno::from(error)),
            Called::Done(Err(errno)) => Err(errno),
            Called::Pending(_) => Err(Errno::EAGAIN),
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
        match self.call(|tree, held, _| body(tree, held)) {
            Called::Done(answer) => answer?,
            Called::Pending(_) => Err(Errno::EAGAIN),
        }
    }

    /// A store that may take `patience` milliseconds of machine time before it is pending.
    pub fn store_within(&mut self, ino: Ino, data: &[u8], patience: u64) -> Called<usize> {
        let data = data.to_vec();
        let (task, slot) = self.start(move |tree, held, out| tree.store(ino, &data, held, out));
        if self.drive(task, patience) {
            Called::Done(slot.take().unwrap_or(Err(Errno::EIO)))
        } else {
            self.late.insert(task, Late::Stored(slot));
            Called::Pending(Token(task.0))
        }
    }

    /// What the machine's operator does (`INTERFACES.md`, hw).
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn hw(&mut self, line: &str) -> Result<String, ControlError> {
        if let Some(milliseconds) = line.trim().strip_prefix("advance ") {
            let milliseconds = milliseconds.trim().parse().map_err(|_| {
                ControlError::invalid(format!("`{milliseconds}` is no number of milliseconds"))
            })?;
            self.advance(milliseconds);
            return Ok(String::new());
        }
        let line = line.to_owned();
        self.control(move |tree, held, out| control::hw(tree, &line, held, out))
    }

    /// What guests do (`INTERFACES.md`, guest).
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn guest(&mut self, line: &str) -> Result<String, ControlError> {
        let line = line.to_owned();
        self.control(move |tree, held, out| control::guest(tree, &line, held, out))
    }

    fn control(
        &mut self,
        body: impl FnOnce(&Tree, &mut Held<'_, Nothing>, &dyn Sink) -> Result<String, ControlError> + 'static,
    ) -> Result<String, ControlError> {
        match self.call(body) {
            Called::Done(Ok(result)) => result,
            Called::Done(Err(errno)) => Err(ControlError::errno(errno, "the operation failed")),
            Called::Pending(_) => {
                Err(ControlError::errno(Errno::EAGAIN, "it waits for something and goes on later"))
            }
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
        self.now_or_again(move |tree, held, out| tree.host.load_module(module, &parameters, held, out))
    }

    /// Unloads a module.
    ///
    /// # Errors
    /// `EAGAIN`, `ENOENT`.
    pub fn rmmod(&mut self, module: &str) -> Result<(), Errno> {
        let module = Module::from_name(module).ok_or(Errno::ENOENT)?;
        self.now_or_again(move |tree, held, out| tree.host.unload_module(module, held, out))
    }

    /// A guest opens an mdev; the error says how far it came.
    ///
    /// # Errors
    /// `ENOENT`, `EBUSY`, `EINVAL`, `EPERM`, with the stage.
    pub fn guest_open(&mut self, uuid: &str, name: &str) -> Result<(), (Errno, OpenStage)> {
        let Ok(uuid) = parse_uuid(uuid) else { return Err((Errno::ENOENT, OpenStage::IommuGroup)) };
        let name = name.to_owned();
        let result: Called<Result<(), OpenError>> =
            self.call(move |tree, held, out| tree.host.guest_open(&uuid, &name, held, out));
        match result {
            Called::Done(Ok(Ok(()))) => Ok(()),
            Called::Done(Ok(Err(error))) => Err((Errno::from(error), error.stage())),
            Called::Done(Err(errno)) => Err((errno, OpenStage::Device)),
            Called::Pending(_) => Err((Errno::EAGAIN, OpenStage::Device)),
        }
    }

    /// A guest closes an mdev.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn guest_close(&mut self, uuid: &str) -> Result<(), Errno> {
        let uuid = parse_uuid(uuid)?;
        self.now_or_again(move |tree, held, out| tree.host.guest_close(&uuid, None, held, out))
    }

    /// A guest resets its device.
    ///
    /// # Errors
    /// `EIO`, `ENOENT`.
    pub fn guest_reset(&mut self, uuid: &str) -> Result<(), Errno> {
        let uuid = parse_uuid(uuid)?;
        self.now_or_again(move |tree, held, out| tree.host.guest_reset(&uuid, None, held, out))
    }

    /// A guest asks about its device.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn guest_info(&mut self, uuid: &str) -> Result<DeviceInfo, Errno> {
        let uuid = parse_uuid(uuid)?;
        self.now_or_again(move |tree, held, _| tree.host.guest_info(&uuid, None, held))
    }

    /// A guest registers its request interrupt.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn guest_request_irq(&mut self, uuid: &str) -> Result<(), Errno> {
        let uuid = parse_uuid(uuid)?;
        self.now_or_again(move |tree, held, _| tree.host.guest_request_irq(&uuid, None, true, held))
    }

    /// How often a guest was asked to let go since the last question.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn guest_event_count(&mut self, uuid: &str) -> Result<u64, Errno> {
        let uuid = parse_uuid(uuid)?;
        self.now_or_again(move |tree, held, _| tree.host.guest_event_count(&uuid, None, held))
    }

    /// Makes a guest, without an APCB if `has_apcb` is false.
    pub fn make_guest(&mut self, name: &str, has_apcb: bool) {
        let name = name.to_owned();
        let _ = self.call(move |tree, held, _| tree.host.make_guest(&name, has_apcb, held));
    }
}

fn parse_uuid(text: &str) -> Result<Uuid, Errno> {
    ap_types::grammar::uuid(text.as_bytes()).map_err(|_| Errno::ENOENT)
}

impl Filesystem for Session {
    fn lookup(&mut self, parent: Ino, name: &str) -> Result<Entry, Errno> {
        let dir = directory(parent)?;
        let name = name.to_owned();
        self.look(move |tree, held| tree.lookup(dir, &name, held))
    }

    fn entry(&mut self, ino: Ino) -> Result<Entry, Errno> {
        self.look(move |tree, held| tree.entry(ino, held))
    }

    fn parent(&mut self, ino: Ino) -> Result<Ino, Errno> {
        self.look(move |tree, held| tree.parent(ino, held))
    }

    fn entries(&mut self, directory_ino: Ino) -> Result<Vec<Entry>, Errno> {
        let dir = directory(directory_ino)?;
        self.look(move |tree, held| tree.entries(dir, held))
    }

    fn readlink(&mut self, ino: Ino) -> Result<String, Errno> {
        self.look(move |tree, held| tree.readlink(ino, held))
    }

    fn show(&mut self, ino: Ino) -> Called<Vec<u8>> {
        let (task, slot) = self.start(move |tree, held, out| tree.show(ino, held, out));
        if self.drive(task, PATIENCE) {
            Called::Done(slot.take().unwrap_or(Err(Errno::EIO)))
        } else {
            self.late.insert(task, Late::Shown(slot));
            Called::Pending(Token(task.0))
        }
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
            changes_of(event, &mut self.changes);
        }
        events.iter().map(front::Event::from).collect()
    }

    fn advance(&mut self, milliseconds: u64) {
        let until = self.now() + milliseconds;
        self.run();
        while let Some(next) = self.next_time().filter(|next| *next <= until) {
            self.pass_to(next);
            self.run();
        }
        self.tree.host.clock.advance_to(until);
    }

    fn next_due(&self) -> Option<u64> {
        self.next_time().map(|at| at.saturating_sub(self.now()))
    }
}

fn directory(ino: Ino) -> Result<Dir, Errno> {
    match Node::from_ino(ino) {
        Some(Node::Dir(dir)) => Ok(dir),
        Some(_) => Err(Errno::ENOTDIR),
        None => Err(Errno::ENOENT),
    }
}
