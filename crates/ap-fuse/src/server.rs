//! A file server with sysfs's semantics over a [`Filesystem`], whatever carries its requests.
//!
//! What clients rely on is in its methods: modes that hold for root, too; one show per open and offset 0; one store
//! per write; files of removed objects that answer `ENODEV`; calls that wait without holding up others; a panic
//! that costs one `EIO`. One thread owns it.

mod attributes;
mod handles;
mod listing;
pub mod nodes;

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ap_sysfs::{
    Answer, Called, Change, DeviceNumber, Entry, Errno, Event, Filesystem, Ino, Kind, ROOT, Token, Uevent,
};

pub use self::attributes::{Attributes, Time, Wanted};
use self::handles::{Handle, Handles};
use self::listing::Listings;
pub use self::listing::{Item, cookie};
use self::nodes::Place;

/// The most that one show gives and one store takes.
pub const PAGE: usize = 4096;
const NAME_MAX: usize = 255;

/// Whom an answer is for: chosen by the back end, given back with a late answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// An answer now, or later from [`Server::settle`].
#[derive(Debug)]
pub enum Step<T> {
    /// Here it is.
    Now(Result<T, Errno>),
    /// The call waits; nobody else does.
    Later,
}

/// A late answer.
#[derive(Debug)]
pub enum Late {
    /// To a read.
    Read(Result<Vec<u8>, Errno>),
    /// To a write.
    Written(Result<usize, Errno>),
}

/// What has to reach clients besides answers, in the order in which it has to.
#[derive(Debug, Default)]
pub struct Settled {
    /// Names that came and went: first of all, so that nobody finds what is gone.
    pub changes: Vec<Change>,
    /// Device events: their readers look at the tree.
    pub uevents: Vec<Uevent>,
    /// Who is to ask poll(2) again: the keys that were given with the questions.
    pub woken: Vec<u64>,
    /// Late answers: last, so that whoever waited sees all of the above.
    pub late: Vec<(Ticket, Late)>,
}

impl Settled {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.uevents.is_empty() && self.woken.is_empty() && self.late.is_empty()
    }
}

enum Waiting {
    Show { ticket: Ticket, handle: u64, offset: u64, size: usize },
    Store { ticket: Ticket },
}

/// A call that waits longer than somebody may want to know.
struct Untold {
    token: Token,
    /// When it is to be told of.
    at: Instant,
}

/// The server.
pub struct Server {
    fs: Box<dyn Filesystem>,
    handles: Handles,
    listings: Listings,
    overrides: HashMap<Ino, Wanted>,
    waiting: HashMap<Token, Waiting>,
    /// After how long it is told what a call waits for; `None`: never.
    tell_after: Option<Duration>,
    /// The calls that are to be told of, the oldest first.
    untold: VecDeque<Untold>,
    /// When `advance` last said what time it is.
    told: Instant,
    /// When the next background work is due.
    due: Option<Instant>,
    started: Time,
}

impl Server {
    /// A server for `fs`, whose time runs from now on.
    #[must_use]
    pub fn new(fs: Box<dyn Filesystem>) -> Server {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut server = Server {
            fs,
            handles: Handles::default(),
            listings: Listings::default(),
            overrides: HashMap::new(),
            waiting: HashMap::new(),
            tell_after: None,
            untold: VecDeque::new(),
            told: Instant::now(),
            due: None,
            started: (now.as_secs() as i64, now.subsec_nanos()),
        };
        server.look_ahead();
        server
    }

    /// Sets after how long [`Server::long_waits`] tells of a call that waits.
    pub fn tell_after(&mut self, patience: Duration) {
        self.tell_after = Some(patience);
    }

    fn wait(&mut self, token: Token, waiting: Waiting) {
        if let Some(at) = self.tell_after.and_then(|patience| Instant::now().checked_add(patience)) {
            self.untold.push_back(Untold { token, at });
        }
        self.waiting.insert(token, waiting);
    }

    /// The calls that have waited for so long, once each: whose they are, and what they wait for.
    pub fn long_waits(&mut self) -> Vec<(Ticket, Option<String>)> {
        let now = Instant::now();
        let mut told = Vec::new();
        while self.untold.front().is_some_and(|untold| untold.at <= now)
            && let Some(Untold { token, .. }) = self.untold.pop_front()
        {
            let Some(ticket) = self.waiting.get(&token).map(Waiting::ticket) else { continue };
            let what = caught(|| Ok(self.fs.waits_for(token))).ok().flatten();
            told.push((ticket, what));
        }
        told
    }

    /// The entry `name` of `parent`.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`.
    pub fn lookup(&mut self, parent: Ino, name: &str) -> Result<Attributes, Errno> {
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let place = match Place::of(parent) {
            None if parent == ROOT => Place::at_root(name),
            None => None,
            Some(Place::Directory) => Some(Place::named(name).ok_or(Errno::ENOENT)?),
            Some(_) => return Err(Errno::ENOTDIR),
        };
        if let Some(place) = place {
            return self.describe_place(place);
        }
        let entry = caught(|| self.fs.lookup(parent, name))?;
        Ok(self.describe(&entry))
    }

    /// What `stat` says of a node. Who asks for one that is gone still has it open, or is in it.
    ///
    /// # Errors
    /// `ENOENT` if it is gone, and nobody knows what it was.
    pub fn attributes(&mut self, ino: Ino) -> Result<Attributes, Errno> {
        if let Some(place) = Place::of(ino) {
            return self.describe_place(place);
        }
        match caught(|| self.fs.entry(ino)) {
            Ok(entry) => Ok(self.describe(&entry)),
            Err(errno) => match self.handles.entry_of(ino).or_else(|| self.departed(ino)) {
                Some(entry) => Ok(Attributes { links: 0, ..self.describe(&entry) }),
                None => Err(errno),
            },
        }
    }

    fn departed(&mut self, ino: Ino) -> Option<Entry> {
        caught(|| Ok(self.fs.departed(ino))).ok().flatten()
    }

    /// Changes what can be changed of a node, and remembers it as long as the node lives.
    ///
    /// # Errors
    /// `ENOENT` if it is gone.
    pub fn change(&mut self, ino: Ino, wanted: Wanted) -> Result<Attributes, Errno> {
        let before = self.attributes(ino)?;
        let kept = self.overrides.entry(ino).or_default();
        kept.mode = wanted.mode.map(|mode| mode & 0o7777).or(kept.mode);
        kept.user = wanted.user.or(kept.user);
        kept.group = wanted.group.or(kept.group);
        kept.accessed = wanted.accessed.or(kept.accessed);
        kept.modified = wanted.modified.or(kept.modified);
        if before.links == 0 {
            // Gone already: nothing will ever tell us to forget it.
            self.overrides.remove(&ino);
        }
        self.attributes(ino)
    }

    /// A link's target.
    ///
    /// # Errors
    /// `EINVAL` if it is no link, `ENOENT` if it is gone.
    pub fn readlink(&mut self, ino: Ino) -> Result<String, Errno> {
        caught(|| self.fs.readlink(ino))
    }

    /// Opens an attribute with open(2)'s flags.
    ///
    /// The modes hold for root, too, as in sysfs: those that the attribute has, and those that chmod left.
    ///
    /// # Errors
    /// `EACCES` by the mode, `ENODEV` if its object is gone, `EISDIR`.
    pub fn open(&mut self, ino: Ino, flags: i32) -> Result<u64, Errno> {
        match Place::of(ino) {
            Some(place @ Place::File(number)) => {
                self.describe_place(place)?;
                let entry = Entry { name: String::new(), ino, kind: Kind::File, mode: 0o666 };
                return Ok(self.handles.insert(Handle::of_device(entry, number)));
            }
            Some(_) => return Err(Errno::EISDIR),
            None => {}
        }
        let entry = match caught(|| self.fs.entry(ino)) {
            Err(Errno::ENOENT) => return Err(Errno::ENODEV),
            other => other?,
        };
        if entry.kind != Kind::File {
            return Err(Errno::EISDIR);
        }
        let changed = self.overrides.get(&ino).and_then(|kept| kept.mode).unwrap_or(0o7777);
        let mode = u32::from(entry.mode) & changed;
        let access = flags & libc::O_ACCMODE;
        let reads = access != libc::O_WRONLY;
        let writes = access != libc::O_RDONLY;
        if reads && mode & 0o444 == 0 || writes && mode & 0o222 == 0 {
            return Err(Errno::EACCES);
        }
        Ok(self.handles.insert(Handle::new(entry)))
    }

    /// Reads from an open attribute into `out`: what show said at offset 0 or after a seek, and then the rest of it.
    pub fn read(
        &mut self,
        ticket: Ticket,
        handle: u64,
        offset: u64,
        size: usize,
        out: &mut Vec<u8>,
    ) -> Step<()> {
        let Some(open) = self.handles.get(handle) else { return Step::Now(Err(Errno::EBADF)) };
        open.seen = true;
        let ino = open.entry.ino;
        if open.device.is_some() {
            // There is nothing to read: requests are made by ioctl(2).
            return Step::Now(Err(Errno::EPERM));
        }
        if open.continues(offset) {
            // An object that went while its text was being read: sysfs checks before it looks at its buffer.
            if let Err(errno) = caught(|| self.fs.entry(ino)) {
                return Step::Now(Err(if errno == Errno::ENOENT { Errno::ENODEV } else { errno }));
            }
        } else {
            match caught_call(|| self.fs.show(ino)) {
                Called::Done(Ok(text)) => open.shown(text, offset),
                Called::Done(Err(errno)) => return Step::Now(Err(errno)),
                Called::Pending(token) => {
                    self.wait(token, Waiting::Show { ticket, handle, offset, size });
                    return Step::Later;
                }
            }
        }
        out.extend_from_slice(open.take(offset, size));
        Step::Now(Ok(()))
    }

    /// Writes to an open attribute: one store, whatever the offset, of at most a page.
    pub fn write(&mut self, ticket: Ticket, handle: u64, data: &[u8]) -> Step<usize> {
        let Some(open) = self.handles.get(handle) else { return Step::Now(Err(Errno::EBADF)) };
        let ino = open.entry.ino;
        if open.device.is_some() {
            return Step::Now(Err(Errno::EPERM));
        }
        if data.is_empty() {
            return Step::Now(Ok(0));
        }
        let data = &data[..data.len().min(PAGE)];
        self.pass_time();
        match caught_call(|| self.fs.store(ino, data)) {
            Called::Done(answer) => Step::Now(answer.map(|count| count.min(data.len()))),
            Called::Pending(token) => {
                self.wait(token, Waiting::Store { ticket });
                Step::Later
            }
        }
    }

    /// Whether the file would tell poll(2) that its content changed: until it was read once, as in sysfs, and for
    /// ever when its object is gone. With a key, whoever asks is to be woken by it when that changes.
    pub fn changed(&mut self, handle: u64, key: Option<u64>) -> bool {
        let Some(open) = self.handles.get(handle) else { return false };
        open.waiter = key.or(open.waiter);
        if !open.seen && open.device.is_none() {
            return true;
        }
        let ino = open.entry.ino;
        self.is_gone(ino)
    }

    fn is_gone(&mut self, ino: Ino) -> bool {
        match Place::of(ino) {
            Some(place) => self.describe_place(place).is_err(),
            None => caught(|| self.fs.entry(ino)) == Err(Errno::ENOENT),
        }
    }

    /// The keys of those who wait for files that are gone now.
    fn woken(&mut self) -> Vec<u64> {
        let waiting = self.handles.waiting();
        waiting.into_iter().filter(|(_, ino)| self.is_gone(*ino)).map(|(key, _)| key).collect()
    }

    /// Does what ioctl(2) asks of an open file.
    ///
    /// # Errors
    /// `ENOTTY` if it is no device's, or the device has no such request; what the device says.
    pub fn ioctl(&mut self, handle: u64, request: u32, input: &[u8]) -> Result<Vec<u8>, Errno> {
        let open = self.handles.get(handle).ok_or(Errno::EBADF)?;
        let number = open.device.ok_or(Errno::ENOTTY)?;
        caught(|| self.fs.ioctl(number, request, input))
    }

    /// Closes a file.
    pub fn release(&mut self, handle: u64) {
        self.handles.remove(handle);
    }

    /// Gives a directory's entries after `cookie` (0: from the start), until `take` wants no more.
    ///
    /// One that is gone has none, as in sysfs, not even itself.
    ///
    /// # Errors
    /// `ENOENT` if it is gone and nobody knows what it was, `ENOTDIR`.
    pub fn list(
        &mut self,
        dir: Ino,
        after: u64,
        mut take: impl FnMut(&Item<'_>) -> bool,
    ) -> Result<(), Errno> {
        if Place::of(dir).is_some() {
            return Ok(());
        }
        let gone = caught(|| self.fs.entry(dir)) == Err(Errno::ENOENT);
        if gone && self.departed(dir).is_some_and(|was| was.kind == Kind::Directory) {
            return Ok(());
        }
        if after < listing::FIRST {
            let parent = caught(|| self.fs.parent(dir))?;
            for (number, name, ino) in [(1, ".", dir), (2, "..", parent)] {
                if after < number {
                    let entry = caught(|| self.fs.entry(ino))?;
                    let attributes = self.describe(&entry);
                    if !take(&Item { name, cookie: number, attributes }) {
                        return Ok(());
                    }
                }
            }
        }
        let listing = self.listings.get(dir, after, || caught(|| self.fs.entries(dir)))?;
        for (number, entry) in listing.after(after) {
            let inside = directories_in(&mut *self.fs, entry);
            let attributes = Attributes::of(entry, self.overrides.get(&entry.ino), self.started, inside);
            if !take(&Item { name: &entry.name, cookie: *number, attributes }) {
                break;
            }
        }
        Ok(())
    }

    /// The client that waits for this answer is dying: nobody waits for it any more.
    ///
    /// The call itself goes on, as the kernel's would; `true` if there was one.
    pub fn abandon(&mut self, ticket: Ticket) -> bool {
        let token =
            self.waiting.iter().find(|(_, waiting)| waiting.ticket() == ticket).map(|(token, _)| *token);
        token.is_some_and(|token| self.waiting.remove(&token).is_some())
    }

    /// Whether an answer to `ticket` is still to come.
    #[must_use]
    pub fn waits(&self, ticket: Ticket) -> bool {
        self.waiting.values().any(|waiting| waiting.ticket() == ticket)
    }

    /// How long the machine has nothing to do by itself; `None`: nothing until somebody asks for something.
    #[must_use]
    pub fn idle(&self) -> Option<Duration> {
        let tell = self.untold.front().map(|untold| untold.at);
        self.due.into_iter().chain(tell).min().map(|due| due.saturating_duration_since(Instant::now()))
    }

    /// Does the background work that is due; `true` if there was some.
    pub fn work(&mut self) -> bool {
        let due = self.due.is_some_and(|due| due <= Instant::now());
        if due {
            self.pass_time();
            self.look_ahead();
        }
        due
    }

    /// What came of the calls since the last question: to be asked after each that can change something.
    pub fn settle(&mut self) -> Settled {
        self.look_ahead();
        // Events first: a tree may conclude from them what changed.
        let events = caught(|| Ok(self.fs.events())).unwrap_or_default();
        let changes = caught(|| Ok(self.fs.changes())).unwrap_or_default();
        for change in &changes {
            match change {
                Change::Appeared { parent, .. } => self.listings.forget(*parent),
                Change::Gone { parent, ino, .. } => {
                    self.listings.forget(*parent);
                    self.listings.forget(*ino);
                    self.overrides.remove(ino);
                }
            }
        }
        let uevents = events.into_iter().filter_map(|event| match event {
            Event::Uevent(uevent) => Some(uevent),
            Event::Log { .. } | Event::Instruction(_) => None,
        });
        let uevents: Vec<Uevent> = uevents.collect();
        for number in uevents.iter().filter(|uevent| uevent.action == "remove").filter_map(number_of) {
            self.overrides.remove(&Place::Node(number).ino());
        }
        let gone = changes.iter().any(|change| matches!(change, Change::Gone { .. }));
        let woken = if gone { self.woken() } else { Vec::new() };
        Settled { changes, uevents, woken, late: self.late() }
    }

    fn late(&mut self) -> Vec<(Ticket, Late)> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let finished = caught(|| Ok(self.fs.finished())).unwrap_or_default();
        let mut late = Vec::new();
        for (token, answer) in finished {
            match (self.waiting.remove(&token), answer) {
                (Some(Waiting::Store { ticket }), Answer::Stored(answer)) => {
                    late.push((ticket, Late::Written(answer.map(|count| count.min(PAGE)))));
                }
                (Some(Waiting::Show { ticket, handle, offset, size }), Answer::Shown(answer)) => {
                    let answer = answer.map(|text| match self.handles.get(handle) {
                        Some(open) => {
                            open.shown(text, offset);
                            open.take(offset, size).to_vec()
                        }
                        None => Vec::new(),
                    });
                    late.push((ticket, Late::Read(answer)));
                }
                (Some(waiting), _) => late.push((waiting.ticket(), Late::Written(Err(Errno::EIO)))),
                (None, _) => {} // abandoned
            }
        }
        late
    }

    fn pass_time(&mut self) {
        let passed = self.told.elapsed().as_millis() as u64;
        if passed > 0 {
            self.told += Duration::from_millis(passed);
            let _ = caught(|| {
                self.fs.advance(passed);
                Ok(())
            });
        }
    }

    fn look_ahead(&mut self) {
        let next = caught(|| Ok(self.fs.next_due())).unwrap_or_default();
        // A millisecond late rather than early: `advance` counts whole ones.
        self.due =
            next.and_then(|milliseconds| self.told.checked_add(Duration::from_millis(milliseconds.max(1))));
    }

    fn describe(&mut self, entry: &Entry) -> Attributes {
        let inside = directories_in(&mut *self.fs, entry);
        Attributes::of(entry, self.overrides.get(&entry.ino), self.started, inside)
    }

    fn describe_place(&mut self, place: Place) -> Result<Attributes, Errno> {
        let devices = caught(|| Ok(self.fs.devices()))?;
        place.attributes(&devices, self.overrides.get(&place.ino()), self.started)
    }
}

/// How many directories an entry has in it.
fn directories_in(fs: &mut dyn Filesystem, entry: &Entry) -> usize {
    if entry.kind != Kind::Directory {
        return 0;
    }
    caught(|| fs.directories(entry.ino)).unwrap_or(0)
}

/// The number of the device that an event is about.
fn number_of(uevent: &Uevent) -> Option<DeviceNumber> {
    let value = |key: &str| uevent.env.iter().find(|(name, _)| name == key).map(|(_, value)| value.parse());
    Some(DeviceNumber { major: value("MAJOR")?.ok()?, minor: value("MINOR")?.ok()? })
}

impl Waiting {
    fn ticket(&self) -> Ticket {
        match self {
            Waiting::Show { ticket, .. } | Waiting::Store { ticket } => *ticket,
        }
    }
}

/// Runs a call into the tree; a panic in it is one `EIO`.
fn caught<T>(call: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        tracing::error!("a call into the tree panicked; its caller gets EIO");
        Err(Errno::EIO)
    })
}

fn caught_call<T>(call: impl FnOnce() -> Called<T>) -> Called<T> {
    match caught(|| Ok(call())) {
        Ok(called) => called,
        Err(errno) => Called::Done(Err(errno)),
    }
}
