//! Who does it: the task's lock token and where it reports to, as one parameter.

use std::ops::{Deref, DerefMut};

use locks::{After, Guard, Held, Level, Mutex, ReadGuard, RwLock, WriteGuard};

use crate::event::{Action, Event, Instruction, Sink, Subject, Uevent, Work};

/// A task that does something to a host, while it holds locks up to level `L`.
///
/// It is the lock token of the crate `locks` and the task's [`Sink`] together. Taking a lock through it gives the
/// lock's guard and a narrower task, which must be used as long as the guard lives. Where only the token is wanted
/// (a function that reports nothing), a `&mut Task<'_, L>` stands for a `&mut Held<'_, L>`.
pub struct Task<'t, L> {
    held: Held<'t, L>,
    out: &'t dyn Sink,
}

impl<'t, L> Task<'t, L> {
    /// The task that holds `held` and reports to `out`.
    pub fn new(held: &'t mut Held<'_, L>, out: &'t dyn Sink) -> Self {
        Task { held: held.again(), out }
    }

    /// Takes a mutex, waiting for it, where the order allows it.
    #[track_caller]
    #[inline]
    pub fn lock<'s, M: Level + After<L>, T>(
        &'s mut self,
        mutex: &'s Mutex<M, T>,
    ) -> (Guard<'s, M, T>, Task<'s, M>) {
        let (guard, held) = mutex.lock(&mut self.held);
        (guard, Task { held, out: self.out })
    }

    /// Takes a mutex if it is free.
    #[track_caller]
    #[inline]
    pub fn try_lock<'s, M: Level + After<L>, T>(
        &'s mut self,
        mutex: &'s Mutex<M, T>,
    ) -> Option<(Guard<'s, M, T>, Task<'s, M>)> {
        let (guard, held) = mutex.try_lock(&mut self.held)?;
        Some((guard, Task { held, out: self.out }))
    }

    /// Takes the mutex of an object that may not be there; the task is the same either way.
    #[track_caller]
    #[inline]
    pub fn lock_opt<'s, M: Level + After<L>, T>(
        &'s mut self,
        mutex: Option<&'s Mutex<M, T>>,
    ) -> (Option<Guard<'s, M, T>>, Task<'s, M>) {
        let (guard, held) = Mutex::lock_opt(mutex, &mut self.held);
        (guard, Task { held, out: self.out })
    }

    /// Takes a readers-writer lock for reading, waiting while a writer has it.
    #[track_caller]
    #[inline]
    pub fn read<'s, M: Level + After<L>, T>(
        &'s mut self,
        lock: &'s RwLock<M, T>,
    ) -> (ReadGuard<'s, M, T>, Task<'s, M>) {
        let (guard, held) = lock.read(&mut self.held);
        (guard, Task { held, out: self.out })
    }

    /// Takes a readers-writer lock for writing, waiting for it.
    #[track_caller]
    #[inline]
    pub fn write<'s, M: Level + After<L>, T>(
        &'s mut self,
        lock: &'s RwLock<M, T>,
    ) -> (WriteGuard<'s, M, T>, Task<'s, M>) {
        let (guard, held) = lock.write(&mut self.held);
        (guard, Task { held, out: self.out })
    }

    /// Takes the write lock of an object that may not be there; the task is the same either way.
    #[track_caller]
    #[inline]
    pub fn write_opt<'s, M: Level + After<L>, T>(
        &'s mut self,
        lock: Option<&'s RwLock<M, T>>,
    ) -> (Option<WriteGuard<'s, M, T>>, Task<'s, M>) {
        let (guard, held) = RwLock::write_opt(lock, &mut self.held);
        (guard, Task { held, out: self.out })
    }

    /// Gives up the right to take anything before `M`, without taking a lock.
    #[inline]
    pub fn at<M: After<L>>(&mut self) -> Task<'_, M> {
        Task { held: self.held.at(), out: self.out }
    }

    /// Where the task reports to.
    #[inline]
    pub fn sink(&self) -> &'t dyn Sink {
        self.out
    }

    /// Reports an event.
    #[inline]
    pub fn report(&self, event: Event) {
        self.out.event(event);
    }

    /// Sends a uevent without extra variables.
    pub fn uevent(&self, action: Action, subject: Subject) {
        self.report(Event::Uevent(Uevent { action, subject, extra: Vec::new() }));
    }

    /// Sends a uevent with extra variables.
    pub fn uevent_with(&self, action: Action, subject: Subject, extra: Vec<(String, String)>) {
        self.report(Event::Uevent(Uevent { action, subject, extra }));
    }

    /// Writes a line of the kernel's log; `level` is 0 to 7.
    pub fn log(&self, level: u8, text: String) {
        self.report(Event::Log { level, text });
    }

    /// Reports an instruction.
    #[inline]
    pub fn instruction(&self, instruction: Instruction) {
        self.report(Event::Instruction(instruction));
    }

    /// Asks for background work in so many milliseconds of machine time.
    #[inline]
    pub fn due(&self, work: Work, in_ms: u64) {
        self.out.due(work, in_ms);
    }
}

impl<'t, L> Deref for Task<'t, L> {
    type Target = Held<'t, L>;
    #[inline]
    fn deref(&self) -> &Held<'t, L> {
        &self.held
    }
}

impl<L> DerefMut for Task<'_, L> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.held
    }
}
