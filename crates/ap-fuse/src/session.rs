//! The two threads behind a mount: one serves, one announces.
//!
//! The serving thread owns the tree, which is built on it and never leaves it, and drives the machine's own work
//! when it falls due; with nothing due it sleeps in the kernel until a request comes. It never waits for a client.
//! What a client could delay (the kernel's name cache is changed under the locks of directories that clients hold
//! while *their* requests are served) is done by the announcing thread: first names, then uevents, then the answer
//! to whoever caused them.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SendError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use ap_sysfs::{Change, Errno, Filesystem, Uevent};
use rustix::fs::{Mode, OFlags};

use crate::channel::{Channel, Outlet, Received};
use crate::dispatch::{self, Next};
use crate::server::{Server, Settled, Ticket};
use crate::wire::{Message, REQUEST_ROOM, Request};

/// Builds the tree, on the thread that will serve it.
pub type Factory = Box<dyn FnOnce() -> Box<dyn Filesystem> + Send>;

/// Where uevents go.
pub type UeventSink = Box<dyn FnMut(&Uevent) + Send>;

/// Whom to tell of calls that wait, and after how long.
pub struct Waits {
    /// After how long.
    pub after: Duration,
    /// Whom: a sentence for people.
    pub tell: Box<dyn FnMut(&str) + Send>,
}

/// How often one looks whether a client that was interrupted in a waiting call is dying.
const DYING: Duration = Duration::from_millis(50);

/// A tree that is being served.
pub struct Session {
    thread: JoinHandle<io::Result<()>>,
}

impl Session {
    /// Builds the tree on a thread of its own and serves it there; returns when the tree stands.
    /// `proc` is a `/proc` in which clients have the numbers that requests name; `waits` is told of calls that wait long.
    ///
    /// # Errors
    /// If a thread can't be made, or building the tree panicked.
    pub fn start<C>(
        channel: C,
        factory: Factory,
        uevents: Option<UeventSink>,
        proc: Option<OwnedFd>,
        waits: Option<Waits>,
    ) -> io::Result<Session>
    where
        C: Channel + Send + 'static,
    {
        let (jobs, work) = mpsc::channel();
        let outlet = channel.outlet();
        let announced = Arc::new(AtomicU64::new(0));
        let announcer = Announcer { outlet: Arc::clone(&outlet), uevents, announced: Arc::clone(&announced) };
        std::thread::Builder::new().name("announce".to_owned()).spawn(move || announcer.run(&work))?;
        let (ready, stands) = mpsc::channel();
        let thread = std::thread::Builder::new().name("serve".to_owned()).spawn(move || {
            let mut server = match catch_unwind(AssertUnwindSafe(|| Server::new(factory()))) {
                Ok(server) => server,
                Err(_) => return Err(io::Error::other("building the machine panicked")),
            };
            if let Some(waits) = &waits {
                server.tell_after(waits.after);
            }
            let _ = ready.send(());
            let jobs = Jobs { jobs, sent: 0, announced };
            let (waiting, watched) = (HashMap::new(), Vec::new());
            Serving { channel, outlet, server, jobs, proc, waits, waiting, watched }.run()
        })?;
        match stands.recv() {
            Ok(()) => Ok(Session { thread }),
            Err(_) => Err(match thread.join() {
                Ok(Err(error)) => error,
                _ => io::Error::other("building the machine panicked"),
            }),
        }
    }

    /// Whether it still serves.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Waits until the file system is unmounted or its connection cut.
    ///
    /// # Errors
    /// What ended it otherwise.
    pub fn wait(self) -> io::Result<()> {
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the serving thread panicked")))
    }
}

struct Serving<C> {
    channel: C,
    outlet: Arc<dyn Outlet>,
    server: Server,
    jobs: Jobs,
    /// `/proc` as it was: requests name threads by their numbers there.
    proc: Option<OwnedFd>,
    /// Whom to tell of calls that wait long.
    waits: Option<Waits>,
    /// Who waits for a late answer.
    waiting: HashMap<Ticket, u32>,
    /// Which of them got a signal meanwhile.
    watched: Vec<Ticket>,
}

impl<C: Channel> Serving<C> {
    fn run(mut self) -> io::Result<()> {
        let mut buffer = vec![0; REQUEST_ROOM];
        let mut out = Message::default();
        let mut text = Vec::new();
        loop {
            let received = self.channel.receive(&mut buffer, self.patience())?;
            if self.server.work() {
                self.settle(None);
            }
            if !self.watched.is_empty() {
                self.release_the_dying();
            }
            self.tell_of_waits();
            match received {
                Received::Closed => return Ok(()),
                Received::Nothing => {}
                Received::Request(length) => match Request::parse(&buffer[..length]) {
                    Some(request) => self.serve(&request, &mut out, &mut text),
                    None => tracing::error!("a request of {length} bytes makes no sense"),
                },
            }
        }
    }

    /// Says who waits, and for whom, where that takes long.
    fn tell_of_waits(&mut self) {
        let Some(waits) = &mut self.waits else { return };
        for (ticket, what) in self.server.long_waits() {
            let Some(what) = what else { continue };
            let name = self.waiting.get(&ticket).and_then(|pid| name_of(self.proc.as_ref(), *pid));
            (waits.tell)(&format!("{}: {what}", name.as_deref().unwrap_or("a process")));
        }
    }

    fn patience(&self) -> Option<Duration> {
        let idle = self.server.idle();
        if self.watched.is_empty() { idle } else { Some(idle.map_or(DYING, |idle| idle.min(DYING))) }
    }

    fn serve(&mut self, request: &Request<'_>, out: &mut Message, text: &mut Vec<u8>) {
        let dispatched =
            catch_unwind(AssertUnwindSafe(|| dispatch::dispatch(&mut self.server, request, out, text)));
        let next = dispatched.unwrap_or_else(|_| {
            tracing::error!("serving a request panicked; its caller gets EIO");
            out.error(request.unique, Errno::EIO.number());
            Next::SettleThenReply
        });
        match next {
            Next::Reply => send(&*self.outlet, out),
            Next::SettleThenReply => self.settle(Some(out)),
            Next::Settle => {
                self.waiting.insert(Ticket(request.unique), request.pid);
                self.settle(None);
            }
            Next::Interrupted(unique) => {
                if self.server.waits(Ticket(unique)) {
                    self.watched.push(Ticket(unique));
                    self.release_the_dying();
                }
            }
            Next::Nothing => {}
        }
    }

    /// Has announced what happened, and sends the reply: at once if nothing did, and if all is announced that
    /// others did.
    ///
    /// The reply may rest on what is still being announced: whoever is told that a name exists already must find it.
    fn settle(&mut self, reply: Option<&mut Message>) {
        let settled = self.server.settle();
        for (ticket, _) in &settled.late {
            self.waiting.remove(ticket);
            self.watched.retain(|watched| watched != ticket);
        }
        match reply {
            Some(reply) if settled.is_empty() && self.jobs.are_done() => send(&*self.outlet, reply),
            None if settled.is_empty() => {}
            reply => self.jobs.send(Job { settled, reply: reply.map(std::mem::take) }, &*self.outlet),
        }
    }

    /// Lets go of clients that were killed while their call waits: the kernel holds them until they are answered.
    ///
    /// Others that got a signal go on waiting, as they would in a driver.
    fn release_the_dying(&mut self) {
        let mut watched = std::mem::take(&mut self.watched);
        watched.retain(|ticket| {
            let pid = self.waiting.get(ticket).copied().unwrap_or(0);
            if pid != 0 && !is_dying(self.proc.as_ref(), pid) {
                return true;
            }
            self.waiting.remove(ticket);
            if self.server.abandon(*ticket) {
                let mut message = Message::default();
                message.error(ticket.0, Errno::EINTR.number());
                send(&*self.outlet, &mut message);
            }
            false
        });
        self.watched = watched;
    }
}

/// The name of a process.
fn name_of(proc: Option<&OwnedFd>, pid: u32) -> Option<String> {
    let path = format!("{pid}/comm");
    let file = rustix::fs::openat(proc?, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = [0; 64];
    let length = rustix::io::read(&file, &mut text).ok()?;
    let name = String::from_utf8_lossy(&text[..length]).trim().to_owned();
    (!name.is_empty()).then_some(name)
}

/// Whether a thread has a SIGKILL to die of (every fatal signal becomes one).
fn is_dying(proc: Option<&OwnedFd>, pid: u32) -> bool {
    const SIGKILL: u64 = 1 << 8;
    let Some(proc) = proc else { return true };
    let Ok(file) =
        rustix::fs::openat(proc, format!("{pid}/status"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
    else {
        return true;
    };
    let mut text = [0; 4096];
    let length = rustix::io::read(&file, &mut text).unwrap_or(0);
    String::from_utf8_lossy(&text[..length]).lines().any(|line| {
        let pending = line.strip_prefix("SigPnd:").or_else(|| line.strip_prefix("ShdPnd:"));
        pending
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .is_some_and(|mask| mask & SIGKILL != 0)
    })
}

/// What the announcing thread has to do.
struct Job {
    settled: Settled,
    reply: Option<Message>,
}

impl Job {
    /// Sends the answers.
    fn answer(self, outlet: &dyn Outlet) {
        if let Some(mut reply) = self.reply {
            send(outlet, &mut reply);
        }
        for (ticket, answer) in &self.settled.late {
            send(outlet, &mut dispatch::late(*ticket, answer));
        }
    }
}

/// The way to the announcing thread, and how far it is.
struct Jobs {
    jobs: Sender<Job>,
    sent: u64,
    announced: Arc<AtomicU64>,
}

impl Jobs {
    fn send(&mut self, job: Job, outlet: &dyn Outlet) {
        self.sent += 1;
        if let Err(SendError(job)) = self.jobs.send(job) {
            // Better a stale name than a client that waits for ever.
            tracing::error!("the announcing thread is gone");
            job.answer(outlet);
        }
    }

    fn are_done(&self) -> bool {
        self.announced.load(Ordering::Acquire) == self.sent
    }
}

struct Announcer {
    outlet: Arc<dyn Outlet>,
    uevents: Option<UeventSink>,
    /// How many jobs' names and uevents are out.
    announced: Arc<AtomicU64>,
}

impl Announcer {
    fn run(mut self, jobs: &Receiver<Job>) {
        for job in jobs {
            self.announce(&job.settled.changes);
            if let Some(sink) = &mut self.uevents {
                job.settled.uevents.iter().for_each(sink);
            }
            for key in &job.settled.woken {
                send(&*self.outlet, &mut Message::wake(*key));
            }
            // Before the answer, after which the same client's next call need not wait.
            self.announced.fetch_add(1, Ordering::Release);
            job.answer(&*self.outlet);
        }
    }

    /// Makes the kernel forget what is no longer so.
    ///
    /// Names first, also of what has come: the kernel keeps no absent names, but does that under the directory's
    /// lock, so that whoever is reading the old listing has ended before the listing itself is dropped. The other
    /// way round the reader would put the old one back for good.
    fn announce(&self, changes: &[Change]) {
        let mut stale = BTreeSet::new();
        for change in changes {
            match change {
                Change::Appeared { parent, name } => {
                    send(&*self.outlet, &mut Message::stale_name(parent.0, name));
                    stale.insert(parent.0);
                }
                Change::Gone { parent, name, ino, .. } => {
                    send(&*self.outlet, &mut Message::stale_name(parent.0, name));
                    stale.extend([parent.0, ino.0]);
                }
            }
        }
        for ino in stale {
            send(&*self.outlet, &mut Message::stale_node(ino));
        }
    }
}

fn send(outlet: &dyn Outlet, message: &mut Message) {
    if let Err(error) = outlet.send(message) {
        tracing::warn!("the kernel takes no answer: {error}");
    }
}
