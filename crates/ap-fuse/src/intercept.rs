//! System calls that no file system can answer are intercepted (seccomp(2)'s user notification) and answered here.
//!
//! | call | why | answer |
//! | --- | --- | --- |
//! | `init_module`, `finit_module`, `delete_module` | kmod's tools, udev, whoever else loads modules | the machine's modules are loaded and unloaded; others are said to be loaded, and nothing is done |
//! | `statfs`, `fstatfs` | libudev takes only a sysfs for `/sys` | of the tree: that it is one |
//! | `open` for reading and writing | a character device's node leads to the kernel's drivers, which this device has none of | of the nodes in `/dev`: a file that the tree serves |
//! | `lseek` | sysfs's files end at 2 GiB | of the tree: `EINVAL` beyond |
//!
//! Nobody gets around it: not programs without our environment, nor static ones, nor set-id ones. It needs no
//! privilege beyond that to make the namespaces. It is no border either: a program that reads its arguments' memory
//! twice could have it changed in between, but would only deceive itself.
//!
//! Only those calls are held up that may be one of these, by their numbers and arguments; all others cost what they
//! always cost. What the tree is asked for is asked as any client would, through the mount.

pub mod client;
pub mod filter;

use std::io::Read;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use self::client::{Answer, Client};
use self::filter::call;
use crate::server::nodes;

/// Where a line loads and unloads modules, below the tree's root.
const CONTROL: &str = "kernel/debug/apmatrix/hw";

/// The largest file that is looked through for a module's name; no module is as large.
const LARGEST: u64 = 64 << 20;
/// The longest text of parameters.
const PARAMETERS: usize = 64 << 10;
/// The longest name of a module.
const NAME: usize = 64;

/// Answers the calls that are intercepted.
pub struct Interceptor {
    /// `/proc`, with the numbers that processes have for us.
    pub proc: OwnedFd,
    /// The tree's root directory.
    pub tree: OwnedFd,
    /// The machine's modules.
    pub modules: Vec<&'static str>,
}

impl Interceptor {
    /// Answers until nobody is left.
    pub fn serve(&self, listener: &OwnedFd) {
        let tree = client::device_of(&self.tree);
        while client::comes(listener) {
            let client = match Client::next(listener, &self.proc) {
                Ok(client) => client,
                Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::ENOENT)) => continue,
                Err(_) => return,
            };
            // Whatever goes wrong, nobody must wait for ever.
            let answer = catch_unwind(AssertUnwindSafe(|| self.answer(&client, tree)));
            client.answer(answer.unwrap_or_else(|_| if_broken(client.number())));
        }
    }

    /// The answer to a call.
    fn answer(&self, client: &Client<'_>, tree: Option<(u32, u32)>) -> Answer {
        let fd = client.argument(0) as i32;
        match client.number() {
            call::FINIT_MODULE => self.load(client, Image::File(fd), client.argument(1)),
            call::INIT_MODULE => {
                self.load(client, Image::Memory(client.argument(0), client.argument(1)), client.argument(2))
            }
            call::DELETE_MODULE => self.unload(client),
            call::FSTATFS if client.device_of(fd) == tree => is_sysfs(client),
            call::STATFS => {
                let found = client.path(client.argument(0)).map(|path| client.find(libc::AT_FDCWD, &path));
                match found {
                    Some(Ok(file)) if client::device_of(&file) == tree => is_sysfs(client),
                    _ => Answer::Continue,
                }
            }
            call::OPENAT => self.open(client, fd, client.argument(1), client.argument(2), tree),
            call::OPEN => self.open(client, libc::AT_FDCWD, client.argument(0), client.argument(1), tree),
            call::LSEEK if client.device_of(fd) == tree => Answer::Error(Errno::INVAL),
            _ => Answer::Continue,
        }
    }

    /// Loads the module of an image.
    fn load(&self, client: &Client<'_>, image: Image, parameters: u64) -> Answer {
        let name = match image.name(client, &self.modules) {
            Ok(name) => name,
            Err(errno) => return Answer::Error(errno),
        };
        let Some(parameters) = client.text(parameters, PARAMETERS) else {
            return Answer::Error(Errno::FAULT);
        };
        match self.modules.iter().find(|known| name.as_deref() == Some(**known)) {
            Some(name) => {
                let parameters = String::from_utf8_lossy(&parameters).replace('\n', " ");
                self.control(client, &format!("modules load {name} {parameters}"))
            }
            // Somebody else's: nothing is done to this host.
            None => Answer::Value(0),
        }
    }

    fn unload(&self, client: &Client<'_>) -> Answer {
        let Some(name) = client.text(client.argument(0), NAME) else { return Answer::Error(Errno::FAULT) };
        match self.modules.iter().find(|known| known.as_bytes() == name) {
            Some(name) => self.control(client, &format!("modules unload {name}")),
            None => Answer::Error(Errno::NOENT),
        }
    }

    fn control(&self, client: &Client<'_>, line: &str) -> Answer {
        if !client.still_waits() {
            return Answer::Continue;
        }
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let written = rustix::fs::openat(&self.tree, CONTROL, flags, Mode::empty())
            .and_then(|file| rustix::io::write(&file, line.as_bytes()));
        written.map_or_else(Answer::Error, |_| Answer::Value(0))
    }

    /// Opens a node of a device: the file behind it.
    fn open(
        &self,
        client: &Client<'_>,
        directory: i32,
        path: u64,
        flags: u64,
        tree: Option<(u32, u32)>,
    ) -> Answer {
        let opened = || -> Option<Answer> {
            let path = client.path(path)?;
            if path.starts_with(b"/proc/") {
                return None;
            }
            let file = client.find(directory, &path).ok()?;
            if client::device_of(&file) != tree {
                return None;
            }
            let stat = rustix::fs::fstat(&file).ok()?;
            if stat.st_mode & libc::S_IFMT != libc::S_IFCHR {
                return None;
            }
            let flags = OFlags::from_bits_retain(flags as u32 as _);
            if flags.contains(OFlags::CREATE | OFlags::EXCL) {
                return Some(Answer::Error(Errno::EXIST));
            }
            if !client.may_read_and_write(stat.st_uid, stat.st_gid, stat.st_mode)? || !client.still_waits() {
                return Some(Answer::Error(Errno::ACCESS));
            }
            let number = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
            let kept = OFlags::ACCMODE | OFlags::NONBLOCK | OFlags::APPEND;
            let wanted = flags & kept | OFlags::CLOEXEC;
            let name = nodes::served(number);
            let served = match rustix::fs::openat(&self.tree, &*name, wanted, Mode::empty()) {
                Ok(served) => served,
                Err(errno) => return Some(Answer::Error(errno)),
            };
            Some(match client.give(&served, flags.contains(OFlags::CLOEXEC)) {
                Ok(fd) => Answer::Value(i64::from(fd)),
                Err(error) => Answer::Error(Errno::from_io_error(&error).unwrap_or(Errno::MFILE)),
            })
        };
        opened().unwrap_or(Answer::Continue)
    }
}

/// The answer where ours can't be had: the kernel's, but none that changes this host.
fn if_broken(number: i64) -> Answer {
    match number {
        call::INIT_MODULE | call::FINIT_MODULE | call::DELETE_MODULE => Answer::Error(Errno::PERM),
        _ => Answer::Continue,
    }
}

/// Where a module's file is.
enum Image {
    File(i32),
    Memory(u64, u64),
}

impl Image {
    /// The module's name; none of a compressed file that is not called like one of `known`.
    fn name(&self, client: &Client<'_>, known: &[&'static str]) -> Result<Option<String>, Errno> {
        let mut bytes = Vec::new();
        match self {
            Image::File(fd) => {
                let path = client.name_of(*fd);
                let stem = stem(&path);
                if known.contains(&stem.as_str()) {
                    return Ok(Some(stem));
                }
                let file = client.reopen(*fd).map_err(|_| Errno::BADF)?;
                let mut file = std::fs::File::from(file).take(LARGEST);
                file.read_to_end(&mut bytes).map_err(|_| Errno::INVAL)?;
            }
            Image::Memory(address, length) => {
                bytes = client.read(*address, (*length).min(LARGEST) as usize);
            }
        }
        name_in(&bytes)
    }
}

/// The name in a module's file; none where it is compressed. What is neither is no module (`ENOEXEC`).
fn name_in(bytes: &[u8]) -> Result<Option<String>, Errno> {
    const COMPRESSED: [&[u8]; 3] = [b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];
    if !bytes.starts_with(b"\x7fELF") {
        let compressed = COMPRESSED.iter().any(|magic| bytes.starts_with(magic));
        return if compressed { Ok(None) } else { Err(Errno::NOEXEC) };
    }
    const KEY: &[u8] = b"\0name=";
    let at = bytes.windows(KEY.len()).position(|window| window == KEY).map(|at| at + KEY.len());
    let name = at.and_then(|at| bytes[at..].split(|byte| *byte == 0).next());
    Ok(name.map(|name| String::from_utf8_lossy(name).replace('-', "_")))
}

/// The name that a module's file says by its own name.
fn stem(path: &[u8]) -> String {
    let path = String::from_utf8_lossy(path);
    let name = path.rsplit('/').next().unwrap_or_default();
    name.split(".ko").next().unwrap_or_default().replace('-', "_")
}

/// Says that the file system is a sysfs, as statfs(2) of one does.
fn is_sysfs(client: &Client<'_>) -> Answer {
    // Whose memory we may not write, gets the kernel's answer.
    client.write(client.argument(1), &statfs_of_sysfs()).map_or(Answer::Continue, |()| Answer::Value(0))
}

/// `struct statfs` of a sysfs, as this machine lays it out.
fn statfs_of_sysfs() -> Vec<u8> {
    const SYSFS_MAGIC: u32 = 0x6265_6572;
    // Valid, no set-id programs, no devices, no programs, times of access rarely.
    const FLAGS: u32 = 0x20 | 2 | 4 | 8 | 0x1000;
    // A word is as wide as a register, but on s390.
    let word = |number: u32| {
        let wide = u64::from(number).to_ne_bytes().to_vec();
        if cfg!(target_arch = "s390x") { number.to_ne_bytes().to_vec() } else { wide }
    };
    let sizes_and_id = vec![0; 5 * 8 + 8];
    let spare = vec![0; if cfg!(target_arch = "s390x") { 5 * 4 } else { 4 * 8 }];
    let parts = [word(SYSFS_MAGIC), word(4096), sizes_and_id, word(255), word(4096), word(FLAGS), spare];
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statfs_is_laid_out_as_this_machines() {
        let bytes = statfs_of_sysfs();
        assert_eq!(bytes.len(), size_of::<libc::statfs64>());
        // SAFETY: the length was compared; the struct is numbers only, so that any bytes are one.
        let read = unsafe { bytes.as_ptr().cast::<libc::statfs64>().read_unaligned() };
        assert_eq!((read.f_type as u64, read.f_bsize as u64), (0x6265_6572, 4096));
        assert_eq!((read.f_blocks, read.f_files, read.f_ffree), (0, 0, 0));
        assert_eq!((read.f_namelen as u64, read.f_frsize as u64, read.f_flags as u64), (255, 4096, 0x102e));
    }

    #[test]
    fn a_mistake_of_ours_lets_no_module_through() {
        for number in [call::INIT_MODULE, call::FINIT_MODULE, call::DELETE_MODULE] {
            assert_eq!(if_broken(number), Answer::Error(Errno::PERM));
        }
        assert_eq!(if_broken(call::STATFS), Answer::Continue);
    }

    #[test]
    fn names_of_modules() {
        assert_eq!(
            name_in(b"\x7fELF....\0license=GPL\0name=vfio-ap\0depends=\0"),
            Ok(Some("vfio_ap".into()))
        );
        assert_eq!(name_in(b"\x7fELF"), Ok(None));
        assert_eq!(name_in(b"\x1f\x8b..."), Ok(None));
        assert_eq!(name_in(b"#!/bin/sh"), Err(Errno::NOEXEC));
        assert_eq!(stem(b"/lib/modules/6/kernel/vfio-ap.ko.xz"), "vfio_ap");
        assert_eq!(stem(b""), "");
    }
}
