//! Translates the messages of [`crate::wire`] into calls of [`Server`], and answers back into messages.
//!
//! It sends and receives nothing.

use ap_sysfs::{Errno, Ino};

use crate::intercept::client::write_memory;
use crate::server::{Late, Server, Step, Ticket, Time, Wanted};
use crate::wire::{self, Message, Request, init, op};

/// What is to be done after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send the reply.
    Reply,
    /// See what the call brought about, and send the reply after it.
    SettleThenReply,
    /// See what the call brought about; its reply comes later.
    Settle,
    /// Nothing: such requests have no reply.
    Nothing,
    /// The request whose number this is was interrupted.
    Interrupted(u64),
}

const EPROTO: i32 = 71;
/// What poll(2) says of an ordinary file.
const READY: u32 = (libc::POLLIN | libc::POLLOUT | libc::POLLRDNORM | libc::POLLWRNORM) as u32;
/// What it says of an attribute that may have changed.
const CHANGED: u32 = (libc::POLLERR | libc::POLLPRI) as u32;

/// The number of an error as the kernel takes it: one of its own (from 512) would hang the client for ever.
fn number(errno: Errno) -> i32 {
    match errno.number() {
        number @ 1..=511 => number,
        _ => Errno::EIO.number(),
    }
}

/// Serves one request; the reply is in `out` afterwards.
pub fn dispatch(server: &mut Server, request: &Request<'_>, out: &mut Message, text: &mut Vec<u8>) -> Next {
    let ino = Ino(request.node);
    let unique = request.unique;
    out.reply(unique);
    let answer = match request.op {
        op::LOOKUP => match request.name(0) {
            Some(name) => server.lookup(ino, name).map(|attributes| out.entry(&attributes)),
            None => Err(Errno::ENOENT),
        },
        op::GETATTR => server.attributes(ino).map(|attributes| out.attr(&attributes)),
        op::SETATTR => server.change(ino, wanted(request)).map(|attributes| out.attr(&attributes)),
        op::READLINK => server.readlink(ino).map(|target| {
            out.data(target.as_bytes());
        }),
        op::OPEN => server.open(ino, request.u32(0) as i32).map(|handle| out.opened(handle)),
        op::READ => return read(server, request, out, text),
        op::WRITE => return write(server, request, out),
        op::READDIR | op::READDIRPLUS => {
            let (room, plus) = (request.u32(16) as usize, request.op == op::READDIRPLUS);
            server.list(ino, request.u64(8), |item| out.item(item, plus, room.min(wire::REQUEST_ROOM)))
        }
        op::POLL => {
            const NOTIFY: u32 = 1;
            let key = (request.u32(16) & NOTIFY != 0).then(|| request.u64(8));
            let changed = if server.changed(request.u64(0), key) { CHANGED } else { 0 };
            out.polled(READY | changed);
            Ok(())
        }
        op::RELEASE => {
            server.release(request.u64(0));
            Ok(())
        }
        op::STATFS => {
            out.statfs();
            Ok(())
        }
        op::IOCTL => return control(server, request, out),
        op::FSYNC | op::DESTROY => Ok(()),
        // As in sysfs, whose directories have no such operation.
        op::FSYNCDIR => Err(Errno::EINVAL),
        op::INIT => return init(request, out),
        op::FORGET | op::BATCH_FORGET => return Next::Nothing,
        op::INTERRUPT => return Next::Interrupted(request.u64(0)),
        op::CREATE => Err(Errno::EACCES),
        op::MKNOD if request.u32(0) & libc::S_IFMT == libc::S_IFREG => Err(Errno::EACCES),
        op::MKNOD
        | op::MKDIR
        | op::UNLINK
        | op::RMDIR
        | op::SYMLINK
        | op::LINK
        | op::RENAME
        | op::RENAME2 => Err(Errno::EPERM),
        // An ENOSYS would do for all, but then the kernel itself says "none" of access lists where sysfs says "not
        // supported"; `ls -l` believes that once and for all, and else asks for each file.
        op::GETXATTR => Err(Errno::EOPNOTSUPP),
        // The kernel remembers that these are not there, and does without: opening a directory, flush, xattrs, …
        _ => Err(Errno::ENOSYS),
    };
    if let Err(errno) = answer {
        out.error(unique, number(errno));
    }
    Next::Reply
}

fn read(server: &mut Server, request: &Request<'_>, out: &mut Message, text: &mut Vec<u8>) -> Next {
    text.clear();
    let (handle, offset, size) = (request.u64(0), request.u64(8), request.u32(16) as usize);
    match server.read(Ticket(request.unique), handle, offset, size, text) {
        Step::Now(Ok(())) => {
            out.data(text);
        }
        Step::Now(Err(errno)) => out.error(request.unique, number(errno)),
        Step::Later => return Next::Settle,
    }
    Next::SettleThenReply
}

fn write(server: &mut Server, request: &Request<'_>, out: &mut Message) -> Next {
    let size = request.u32(16) as usize;
    let data = request.body.get(40..40 + size).unwrap_or_default();
    match server.write(Ticket(request.unique), request.u64(0), data) {
        Step::Now(Ok(count)) => out.written(count as u32),
        Step::Now(Err(errno)) => out.error(request.unique, number(errno)),
        Step::Later => return Next::Settle,
    }
    Next::SettleThenReply
}

/// Many requests of devices encode no size: what their argument points to is then written by us.
fn control(server: &mut Server, request: &Request<'_>, out: &mut Message) -> Next {
    let (handle, number, argument) = (request.u64(0), request.u32(12), request.u64(16));
    let (given, room) = (request.u32(24) as usize, request.u32(28) as usize);
    let input = request.body.get(32..32 + given).unwrap_or_default();
    match server.ioctl(handle, number, input) {
        Ok(data) if data.is_empty() => out.controlled(&[]),
        Ok(data) if room > 0 => out.controlled(&data[..data.len().min(room)]),
        Ok(data) => match write_memory(request.pid, argument, &data) {
            Ok(()) => out.controlled(&[]),
            Err(_) => out.error(request.unique, Errno::EFAULT.number()),
        },
        Err(errno) => out.error(request.unique, self::number(errno)),
    }
    Next::Reply
}

/// The reply that a late answer is.
pub fn late(ticket: Ticket, answer: &Late) -> Message {
    let mut message = Message::default();
    message.reply(ticket.0);
    match answer {
        Late::Read(Ok(text)) => {
            message.data(text);
        }
        Late::Written(Ok(count)) => message.written(*count as u32),
        Late::Read(Err(errno)) | Late::Written(Err(errno)) => message.error(ticket.0, number(*errno)),
    }
    message
}

fn init(request: &Request<'_>, out: &mut Message) -> Next {
    let (major, minor) = (request.u32(0), request.u32(4));
    if major != wire::MAJOR || minor < wire::OLDEST_MINOR {
        tracing::error!("the kernel speaks FUSE {major}.{minor}; 7.{} is needed", wire::OLDEST_MINOR);
        out.error(request.unique, EPROTO);
    } else {
        out.init(request.u32(12) & init::WANTED, request.u32(8));
    }
    Next::Reply
}

fn wanted(request: &Request<'_>) -> Wanted {
    const MODE: u32 = 1;
    const USER: u32 = 1 << 1;
    const GROUP: u32 = 1 << 2;
    const ACCESSED: u32 = 1 << 4;
    const MODIFIED: u32 = 1 << 5;
    let valid = request.u32(0);
    let on = |bit| valid & bit != 0;
    // With a time of "now" the kernel fills in the time, too.
    let time = |seconds, nanoseconds| -> Time { (request.u64(seconds) as i64, request.u32(nanoseconds)) };
    Wanted {
        mode: on(MODE).then(|| request.u32(68)),
        user: on(USER).then(|| request.u32(76)),
        group: on(GROUP).then(|| request.u32(80)),
        accessed: on(ACCESSED).then(|| time(32, 56)),
        modified: on(MODIFIED).then(|| time(40, 60)),
    }
}
