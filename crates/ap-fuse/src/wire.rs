//! The messages of `/dev/fuse`, as `linux/fuse.h` defines them (protocol 7.31 and later).
//!
//! Only bytes: what a request means is [`crate::dispatch`]'s business, how bytes travel [`crate::channel`]'s.

use crate::server::{Attributes, Item};

/// The protocol's major version.
pub const MAJOR: u32 = 7;
/// The newest minor version whose layouts this module writes.
pub const MINOR: u32 = 38;
/// The oldest minor version that has everything the server relies on (Linux 5.4).
pub const OLDEST_MINOR: u32 = 31;

/// The largest write that reaches the server in one piece: longer ones come short anyway.
pub const MAX_WRITE: u32 = 128 << 10;
/// Room for any request: a write, its headers, and some air.
pub const REQUEST_ROOM: usize = MAX_WRITE as usize + 4096;
/// How long the kernel may keep names and attributes: changes are announced, so for ever would do.
const KEEP_SECONDS: u64 = 3600;

/// The length of a request's header.
pub const HEADER: usize = 40;
const OUT_HEADER: usize = 16;

/// Operation codes.
pub mod op {
    #![allow(missing_docs)]
    pub const LOOKUP: u32 = 1;
    pub const FORGET: u32 = 2;
    pub const GETATTR: u32 = 3;
    pub const SETATTR: u32 = 4;
    pub const READLINK: u32 = 5;
    pub const SYMLINK: u32 = 6;
    pub const MKNOD: u32 = 8;
    pub const MKDIR: u32 = 9;
    pub const UNLINK: u32 = 10;
    pub const RMDIR: u32 = 11;
    pub const RENAME: u32 = 12;
    pub const LINK: u32 = 13;
    pub const OPEN: u32 = 14;
    pub const READ: u32 = 15;
    pub const WRITE: u32 = 16;
    pub const STATFS: u32 = 17;
    pub const RELEASE: u32 = 18;
    pub const FSYNC: u32 = 20;
    pub const GETXATTR: u32 = 22;
    pub const FLUSH: u32 = 25;
    pub const INIT: u32 = 26;
    pub const READDIR: u32 = 28;
    pub const FSYNCDIR: u32 = 30;
    pub const CREATE: u32 = 35;
    pub const INTERRUPT: u32 = 36;
    pub const DESTROY: u32 = 38;
    pub const IOCTL: u32 = 39;
    pub const POLL: u32 = 40;
    pub const BATCH_FORGET: u32 = 42;
    pub const READDIRPLUS: u32 = 44;
    pub const RENAME2: u32 = 45;
}

/// What the two sides agree on in INIT.
pub mod init {
    #![allow(missing_docs)]
    pub const ATOMIC_O_TRUNC: u32 = 1 << 3;
    pub const BIG_WRITES: u32 = 1 << 5;
    pub const DO_READDIRPLUS: u32 = 1 << 13;
    pub const PARALLEL_DIROPS: u32 = 1 << 18;
    pub const MAX_PAGES: u32 = 1 << 22;
    pub const CACHE_SYMLINKS: u32 = 1 << 23;
    pub const NO_OPENDIR_SUPPORT: u32 = 1 << 24;
    /// All of them: measured settings, see the crate's page.
    pub const WANTED: u32 = ATOMIC_O_TRUNC
        | BIG_WRITES
        | DO_READDIRPLUS
        | PARALLEL_DIROPS
        | MAX_PAGES
        | CACHE_SYMLINKS
        | NO_OPENDIR_SUPPORT;
}

/// FOPEN_DIRECT_IO, FOPEN_NOFLUSH and FOPEN_PARALLEL_DIRECT_WRITES.
const OPEN_FLAGS: u32 = 1 | 1 << 5 | 1 << 6;

/// A request's header and what follows it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What is asked ([`op`]).
    pub op: u32,
    /// The number that the reply carries.
    pub unique: u64,
    /// The node that it is about.
    pub node: u64,
    /// The thread that asks, in the server's process namespace; 0 if it isn't visible there.
    pub pid: u32,
    /// The operation's own fields, then names or data.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// Takes a message apart; `None` if it is no whole request.
    #[must_use]
    pub fn parse(message: &'a [u8]) -> Option<Request<'a>> {
        if message.len() < HEADER || u32_at(message, 0) as usize != message.len() {
            return None;
        }
        Some(Request {
            op: u32_at(message, 4),
            unique: u64_at(message, 8),
            node: u64_at(message, 16),
            pid: u32_at(message, 32),
            body: &message[HEADER..],
        })
    }

    /// The 32-bit field at `offset`; 0 beyond the end.
    #[must_use]
    pub fn u32(&self, offset: usize) -> u32 {
        if offset + 4 <= self.body.len() { u32_at(self.body, offset) } else { 0 }
    }

    /// The 64-bit field at `offset`; 0 beyond the end.
    #[must_use]
    pub fn u64(&self, offset: usize) -> u64 {
        if offset + 8 <= self.body.len() { u64_at(self.body, offset) } else { 0 }
    }

    /// The text at `offset`, up to its NUL; `None` if it is no UTF-8.
    #[must_use]
    pub fn name(&self, offset: usize) -> Option<&'a str> {
        let rest = self.body.get(offset..)?;
        let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
        std::str::from_utf8(&rest[..end]).ok()
    }
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_ne_bytes(field)
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_ne_bytes(field)
}

/// A message to the kernel: a reply or a notification.
#[derive(Debug, Default)]
pub struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// Starts the (so far successful) reply to request `unique`.
    pub fn reply(&mut self, unique: u64) -> &mut Self {
        self.bytes.clear();
        self.bytes.extend_from_slice(&[0; 8]);
        self.u64(unique)
    }

    /// Makes it the error reply to request `unique`.
    pub fn error(&mut self, unique: u64, errno: i32) {
        self.reply(unique);
        self.bytes[4..8].copy_from_slice(&(-errno).to_ne_bytes());
    }

    /// Starts a notification.
    fn notification(code: i32) -> Message {
        let mut message = Message::default();
        message.reply(0);
        message.bytes[4..8].copy_from_slice(&code.to_ne_bytes());
        message
    }

    /// The finished bytes, with their length filled in.
    pub fn finish(&mut self) -> &[u8] {
        let length = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        &self.bytes
    }

    /// How many bytes follow the header so far.
    #[must_use]
    pub fn payload(&self) -> usize {
        self.bytes.len() - OUT_HEADER
    }

    fn u16(&mut self, value: u16) -> &mut Self {
        self.data(&value.to_ne_bytes())
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.data(&value.to_ne_bytes())
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.data(&value.to_ne_bytes())
    }

    /// Appends bytes.
    pub fn data(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Appends the answer to INIT.
    pub fn init(&mut self, flags: u32, read_ahead: u32) {
        self.u32(MAJOR).u32(MINOR).u32(read_ahead).u32(flags);
        self.u16(64).u16(48).u32(MAX_WRITE).u32(1); // background requests, congestion, nanoseconds
        self.u16((MAX_WRITE >> 12) as u16).u16(0).u32(0).data(&[0; 28]);
    }

    fn attributes(&mut self, a: &Attributes) {
        self.u64(a.ino).u64(a.size).u64(0);
        for time in [a.accessed, a.modified, a.changed] {
            self.u64(time.0 as u64);
        }
        for time in [a.accessed, a.modified, a.changed] {
            self.u32(time.1);
        }
        let device = a.device.map_or(0, |n| n.minor & 0xff | n.major << 8 | (n.minor & !0xff) << 12);
        self.u32(a.mode).u32(a.links).u32(a.user).u32(a.group).u32(device).u32(4096).u32(0);
    }

    /// Appends the answer to LOOKUP.
    pub fn entry(&mut self, a: &Attributes) {
        let keep = if a.fleeting { 0 } else { KEEP_SECONDS };
        self.u64(a.ino).u64(0).u64(keep).u64(keep).u64(0);
        self.attributes(a);
    }

    /// Appends the answer to GETATTR and SETATTR.
    pub fn attr(&mut self, a: &Attributes) {
        self.u64(if a.fleeting { 0 } else { KEEP_SECONDS }).u64(0);
        self.attributes(a);
    }

    /// Appends the answer to OPEN.
    pub fn opened(&mut self, handle: u64) {
        self.u64(handle).u32(OPEN_FLAGS).u32(0);
    }

    /// Appends the answer to WRITE.
    pub fn written(&mut self, count: u32) {
        self.u32(count).u32(0);
    }

    /// Appends the answer to POLL.
    pub fn polled(&mut self, events: u32) {
        self.u32(events).u32(0);
    }

    /// Appends the answer to IOCTL, and what the argument points to afterwards.
    pub fn controlled(&mut self, data: &[u8]) {
        self.data(&[0; 16]).data(data);
    }

    /// Appends the answer to STATFS: a file system that holds nothing, like sysfs.
    pub fn statfs(&mut self) {
        self.data(&[0; 40]).u32(4096).u32(255).u32(4096).data(&[0; 28]);
    }

    /// Appends a directory entry if the reply then has at most `room` bytes.
    pub fn item(&mut self, item: &Item<'_>, plus: bool, room: usize) -> bool {
        let length = 24 + item.name.len();
        let padded = length.next_multiple_of(8);
        if self.payload() + padded + if plus { 128 } else { 0 } > room {
            return false;
        }
        if plus && matches!(item.name, "." | "..") {
            self.data(&[0; 40]); // not an entry that the kernel would link
            self.attributes(&item.attributes);
        } else if plus {
            self.entry(&item.attributes);
        }
        self.u64(item.attributes.ino).u64(item.cookie).u32(item.name.len() as u32);
        self.u32(item.attributes.mode >> 12).data(item.name.as_bytes());
        self.data(&[0; 8][..padded - length]);
        true
    }

    /// "Forget everything about this node but its name": attributes, a directory's listing, a link's target.
    #[must_use]
    pub fn stale_node(ino: u64) -> Message {
        let mut message = Message::notification(2);
        message.u64(ino).u64(0).u64(0);
        message
    }

    /// "Whoever waits for this file by poll(2) is to ask again": `key` is what POLL gave.
    #[must_use]
    pub fn wake(key: u64) -> Message {
        let mut message = Message::notification(1);
        message.u64(key);
        message
    }

    /// "Forget what `name` in `parent` is."
    #[must_use]
    pub fn stale_name(parent: u64, name: &str) -> Message {
        let mut message = Message::notification(3);
        message.u64(parent).u32(name.len() as u32).u32(0).data(name.as_bytes()).data(&[0]);
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a little-endian kernel writes, or a big-endian one: this one.
    fn of_this_machine<T>(little: T, big: T) -> T {
        if cfg!(target_endian = "big") { big } else { little }
    }

    #[test]
    fn a_request_is_taken_apart() {
        #[rustfmt::skip]
        let little = [
            47, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0x34, 0x12, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0x78, 0x56, 0, 0, 0, 0, 0, 0, b'c', b'a', b'r', b'd', b'0', b'4', 0,
        ];
        #[rustfmt::skip]
        let big = [
            0, 0, 0, 47, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0x12, 0x34,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x56, 0x78, 0, 0, 0, 0, b'c', b'a', b'r', b'd', b'0', b'4', 0,
        ];
        let bytes = of_this_machine(little, big);
        let request = Request::parse(&bytes).unwrap();
        assert_eq!((request.op, request.unique, request.node), (op::LOOKUP, 9, 0x1234));
        assert_eq!(request.pid, 0x5678);
        assert_eq!(request.name(0), Some("card04"));
        assert_eq!(request.u64(100), 0);
        assert!(Request::parse(&bytes[..HEADER + 3]).is_none(), "a cut request is none");
    }

    #[test]
    fn a_reply_byte_for_byte() {
        let mut message = Message::default();
        message.reply(0x0102_0304_0506_0708);
        message.init(0x10, 0x20_0000);
        #[rustfmt::skip]
        let little = [
            80, 0, 0, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1,
            7, 0, 0, 0, 38, 0, 0, 0, 0, 0, 0x20, 0, 0x10, 0, 0, 0,
            64, 0, 48, 0, 0, 0, 2, 0, 1, 0, 0, 0, 32, 0, 0, 0,
        ];
        #[rustfmt::skip]
        let big = [
            0, 0, 0, 80, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8,
            0, 0, 0, 7, 0, 0, 0, 38, 0, 0x20, 0, 0, 0, 0, 0, 0x10,
            0, 64, 0, 48, 0, 2, 0, 0, 0, 0, 0, 1, 0, 32, 0, 0,
        ];
        let bytes = message.finish();
        assert_eq!(bytes[..48], of_this_machine(little, big));
        assert_eq!(bytes[48..], [0; 32]);

        message.error(7, 13);
        #[rustfmt::skip]
        let errors = of_this_machine(
            [16, 0, 0, 0, 0xf3, 0xff, 0xff, 0xff, 7, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 16, 0xff, 0xff, 0xff, 0xf3, 0, 0, 0, 0, 0, 0, 0, 7],
        );
        assert_eq!(message.finish(), errors);
    }

    #[test]
    fn replies_have_the_sizes_of_the_kernels_structures() {
        let a = Attributes::default();
        type Append = fn(&mut Message, &Attributes);
        let sizes: [(Append, usize); 6] = [
            (|m, _| m.init(0, 0), 64),
            (|m, a| m.entry(a), 128),
            (|m, a| m.attr(a), 104),
            (|m, _| m.opened(1), 16),
            (|m, _| m.written(1), 8),
            (|m, _| m.statfs(), 80),
        ];
        for (append, size) in sizes {
            let mut message = Message::default();
            message.reply(1);
            append(&mut message, &a);
            assert_eq!(message.payload(), size);
            assert_eq!(u32_at(message.finish(), 0) as usize, OUT_HEADER + size);
        }
    }

    #[test]
    fn an_error_is_negative() {
        let mut message = Message::default();
        message.error(7, 13);
        assert_eq!(
            message.finish(),
            [&16u32.to_ne_bytes()[..], &(-13i32).to_ne_bytes(), &7u64.to_ne_bytes()].concat()
        );
    }

    #[test]
    fn entries_stop_at_the_room() {
        let mut message = Message::default();
        message.reply(1);
        let item = Item { name: "online", cookie: 4, attributes: Attributes::default() };
        assert!(message.item(&item, true, 160));
        assert!(!message.item(&item, true, 160));
        assert_eq!(message.payload(), 160);
    }
}
