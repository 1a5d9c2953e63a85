//! A process whose system call is held up: its memory, its files, and its answer.
//!
//! What is done with them is not known here.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, StatxFlags};
use rustix::io::Errno;

/// The longest path.
const PATH_MAX: usize = 4096;

const RECEIVE: u64 = 0xc050_2100;
const SEND: u64 = 0xc018_2101;
const STILL_THERE: u64 = 0x4008_2102;
const ADD_FD: u64 = 0x4018_2103;

/// `struct seccomp_notif`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Notification {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    architecture: u32,
    instruction: u64,
    arguments: [u64; 6],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// `struct seccomp_notif_addfd`.
#[repr(C)]
struct AddFd {
    id: u64,
    flags: u32,
    source: u32,
    new: u32,
    new_flags: u32,
}

/// What a call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: the kernel carries it out.
    Continue,
    /// This value.
    Value(i64),
    /// This error.
    Error(Errno),
}

/// A held call and who made it.
pub struct Client<'a> {
    listener: &'a OwnedFd,
    proc: &'a OwnedFd,
    call: Notification,
}

fn ioctl<T>(listener: &OwnedFd, request: u64, argument: *mut T) -> io::Result<i32> {
    // SAFETY: the callers give the structure that belongs to the request.
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), request as _, argument) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(done) }
}

/// Waits for a call; whether there can be one: nobody is left whose calls are intercepted, otherwise.
pub fn comes(listener: &OwnedFd) -> bool {
    let mut waited = [PollFd::new(listener, PollFlags::IN)];
    match poll(&mut waited, None) {
        Ok(_) => !waited[0].revents().contains(PollFlags::HUP),
        Err(errno) => errno == Errno::INTR,
    }
}

impl<'a> Client<'a> {
    /// Waits for the next call. `proc` is a `/proc` in which the clients have the numbers that they have for us.
    ///
    /// # Errors
    /// `EINTR`, `ENOENT` (it ended meanwhile): wait again. Others: nobody is left.
    pub fn next(listener: &'a OwnedFd, proc: &'a OwnedFd) -> io::Result<Client<'a>> {
        let mut call = Notification::default();
        ioctl(listener, RECEIVE, &raw mut call)?;
        Ok(Client { listener, proc, call })
    }

    /// The call's number.
    #[must_use]
    pub fn number(&self) -> i64 {
        i64::from(self.call.number)
    }

    /// One of its arguments.
    #[must_use]
    pub fn argument(&self, which: usize) -> u64 {
        self.call.arguments.get(which).copied().unwrap_or_default()
    }

    /// Whether it still waits: if so, what was read of it was its own.
    #[must_use]
    pub fn still_waits(&self) -> bool {
        let mut id = self.call.id;
        ioctl(self.listener, STILL_THERE, &raw mut id).is_ok()
    }

    /// Answers.
    pub fn answer(&self, answer: Answer) {
        const CONTINUE: u32 = 1;
        let (value, error, flags) = match answer {
            Answer::Continue => (0, 0, CONTINUE),
            Answer::Value(value) => (value, 0, 0),
            Answer::Error(errno) => (0, -errno.raw_os_error(), 0),
        };
        let mut response = Response { id: self.call.id, value, error, flags };
        // Who is gone needs none, nor who has it already.
        let _ = ioctl(self.listener, SEND, &raw mut response);
    }

    /// Gives the client a file of ours, and with it the answer: the number that it has there. In one step where the
    /// kernel can (Linux 5.14), so that no signal comes in between, after which the file would be open twice.
    ///
    /// # Errors
    /// `EMFILE` if it has too many, `ENOENT` if it is gone.
    pub fn give(&self, file: &OwnedFd, close_on_exec: bool) -> io::Result<i32> {
        const AND_ANSWER: u32 = 2;
        let add = |flags: u32| {
            let mut added = AddFd {
                id: self.call.id,
                flags,
                source: file.as_raw_fd() as u32,
                new: 0,
                new_flags: if close_on_exec { libc::O_CLOEXEC as u32 } else { 0 },
            };
            ioctl(self.listener, ADD_FD, &raw mut added)
        };
        match add(AND_ANSWER) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => add(0),
            given => given,
        }
    }

    /// Bytes of its memory: as many of `length` as can be read.
    #[must_use]
    pub fn read(&self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let local = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: length };
        let remote = libc::iovec { iov_base: address as *mut _, iov_len: length };
        // SAFETY: the local buffer has that length; the remote addresses are checked by the kernel.
        let count = unsafe {
            libc::process_vm_readv(self.call.pid as i32, &raw const local, 1, &raw const remote, 1, 0)
        };
        bytes.truncate(usize::try_from(count).unwrap_or(0));
        bytes
    }

    /// Writes bytes into its memory.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        write_memory(self.call.pid, address, bytes)
    }

    /// The text at an address, up to its NUL; `None` if it has none within `most` bytes.
    #[must_use]
    pub fn text(&self, address: u64, most: usize) -> Option<Vec<u8>> {
        const PAGE: u64 = 4096;
        let mut text = Vec::new();
        while text.len() < most {
            let at = address.checked_add(text.len() as u64)?;
            // A page at a time: the next one may not be there.
            let piece = self.read(at, (PAGE - at % PAGE) as usize);
            if piece.is_empty() {
                return None;
            }
            if let Some(end) = piece.iter().position(|byte| *byte == 0) {
                text.extend_from_slice(&piece[..end]);
                return Some(text);
            }
            text.extend(piece);
        }
        None
    }

    /// The path at an address.
    #[must_use]
    pub fn path(&self, address: u64) -> Option<Vec<u8>> {
        self.text(address, PATH_MAX).filter(|path| !path.is_empty())
    }

    /// A file of its, opened again for reading.
    ///
    /// # Errors
    /// As open(2).
    pub fn reopen(&self, fd: i32) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::openat(self.proc, self.own(&format!("fd/{fd}")), flags, Mode::empty())
    }

    /// What a file of its is called.
    #[must_use]
    pub fn name_of(&self, fd: i32) -> Vec<u8> {
        self.link(&format!("fd/{fd}"))
    }

    /// Where a link in its directory of `/proc` leads. No file system is asked for it.
    fn link(&self, name: &str) -> Vec<u8> {
        let link = rustix::fs::readlinkat(self.proc, self.own(name), Vec::new());
        link.map(|link| link.into_bytes()).unwrap_or_default()
    }

    /// Whether it may read and write a file with that owner and mode; `None` if it is gone.
    #[must_use]
    pub fn may_read_and_write(&self, user: u32, group: u32, mode: u32) -> Option<bool> {
        let status = rustix::fs::openat(
            self.proc,
            self.own("status"),
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        );
        let text = io::read_to_string(std::fs::File::from(status.ok()?)).ok()?;
        Some(Rights::of(&text)?.may_read_and_write(user, group, mode))
    }

    /// The file system that a file of its is on. Nobody is asked for it.
    #[must_use]
    pub fn device_of(&self, fd: i32) -> Option<(u32, u32)> {
        device(self.proc, &self.own(&format!("fd/{fd}")), AtFlags::empty())
    }

    /// What a path of its leads to, as a descriptor that only names it.
    ///
    /// Nothing but the kernel's memory is asked, unless the path may be one of ours: a server that does not answer must
    /// not hold up everybody.
    ///
    /// # Errors
    /// As open(2).
    pub fn find(&self, directory: i32, path: &[u8]) -> Result<OwnedFd, Errno> {
        let mut whole = match directory {
            _ if path.starts_with(b"/") => Vec::new(),
            libc::AT_FDCWD => self.link("cwd"),
            directory => self.name_of(directory),
        };
        if !path.starts_with(b"/") && !whole.ends_with(b"/") {
            whole.push(b'/');
        }
        whole.extend_from_slice(path);
        let ours = whole.starts_with(b"/sys") || whole.starts_with(b"/dev");
        match self.find_with(directory, path, ResolveFlags::CACHED) {
            // Not in memory, or the kernel can't be asked so (before Linux 5.12).
            Err(Errno::AGAIN | Errno::INVAL) if ours => {
                self.find_with(directory, path, ResolveFlags::empty())
            }
            found => found,
        }
    }

    fn find_with(&self, directory: i32, path: &[u8], more: ResolveFlags) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let absolute = path.starts_with(b"/");
        let start = match directory {
            _ if absolute => "root".to_owned(),
            libc::AT_FDCWD => "cwd".to_owned(),
            directory => format!("fd/{directory}"),
        };
        let start = rustix::fs::openat(self.proc, self.own(&start), folder, Mode::empty())?;
        let resolve = if absolute { ResolveFlags::IN_ROOT } else { ResolveFlags::empty() };
        let resolve = resolve | ResolveFlags::NO_MAGICLINKS | more;
        rustix::fs::openat2(&start, path, flags, Mode::empty(), resolve)
    }

    fn own(&self, name: &str) -> String {
        format!("{}/{name}", self.call.pid)
    }
}

/// Who a process is, for the files that it opens.
#[derive(Debug, PartialEq, Eq)]
struct Rights {
    user: u32,
    groups: Vec<u32>,
    /// It may open whatever the mode says.
    overrides: bool,
}

impl Rights {
    /// From the text of its `status`.
    fn of(text: &str) -> Option<Rights> {
        const DAC_OVERRIDE: u64 = 1 << 1;
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        // Real, effective, saved, of the file system.
        let own = |name| field(name)?.split_whitespace().nth(3)?.parse().ok();
        let mut groups: Vec<u32> =
            field("Groups")?.split_whitespace().filter_map(|group| group.parse().ok()).collect();
        groups.push(own("Gid")?);
        let effective = u64::from_str_radix(field("CapEff")?.trim(), 16).ok()?;
        Some(Rights { user: own("Uid")?, groups, overrides: effective & DAC_OVERRIDE != 0 })
    }

    fn may_read_and_write(&self, user: u32, group: u32, mode: u32) -> bool {
        let bits = match () {
            () if self.user == user => mode >> 6,
            () if self.groups.contains(&group) => mode >> 3,
            () => mode,
        };
        self.overrides || bits & 6 == 6
    }
}

/// The file system of a file that is named.
#[must_use]
pub fn device_of(file: &OwnedFd) -> Option<(u32, u32)> {
    device(file, "", AtFlags::EMPTY_PATH)
}

fn device(directory: &OwnedFd, path: &str, flags: AtFlags) -> Option<(u32, u32)> {
    // Nothing is asked for but what the kernel knows by itself.
    let flags = flags | AtFlags::from_bits_retain(libc::AT_STATX_DONT_SYNC as _) | AtFlags::NO_AUTOMOUNT;
    let known = rustix::fs::statx(directory, path, flags, StatxFlags::empty()).ok()?;
    Some((known.stx_dev_major, known.stx_dev_minor))
}

/// Writes into the memory of the process of that number.
///
/// # Errors
/// `EFAULT`.
pub fn write_memory(pid: u32, address: u64, bytes: &[u8]) -> Result<(), Errno> {
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: address as *mut _, iov_len: bytes.len() };
    // SAFETY: the local buffer is only read; the remote addresses are checked by the kernel.
    let count = unsafe { libc::process_vm_writev(pid as i32, &raw const local, 1, &raw const remote, 1, 0) };
    if usize::try_from(count).is_ok_and(|count| count == bytes.len()) { Ok(()) } else { Err(Errno::FAULT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_read_and_write() {
        let text = "Name:\tsh\nUid:\t1\t2\t3\t1000\nGid:\t1\t2\t3\t100\nGroups:\t4 20 \nCapEff:\t";
        let plain = Rights::of(&format!("{text}0000000000000000\n")).expect("complete");
        assert_eq!(plain, Rights { user: 1000, groups: vec![4, 20, 100], overrides: false });
        for (user, group, mode, may) in [
            (0, 0, 0o600, false),
            (0, 0, 0o666, true),
            (0, 0, 0o664, false),
            (1000, 0, 0o600, true),
            (1000, 0, 0o066, false),
            (0, 20, 0o660, true),
            (0, 100, 0o660, true),
            (0, 20, 0o606, false),
        ] {
            assert_eq!(plain.may_read_and_write(user, group, mode), may, "{user} {group} {mode:o}");
        }
        let all = Rights::of(&format!("{text}0000000000000002\n")).expect("complete");
        assert!(all.may_read_and_write(0, 0, 0o000));
        assert_eq!(Rights::of("Name:\tsh\n"), None);
    }
}
