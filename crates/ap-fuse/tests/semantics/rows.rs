//! Rows that hold for any sysfs: each does something and says what came of it.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{IoSlice, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ap_sysfs::Errno;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Access, FallocateFlags, FileType, Mode, access, fallocate, mknodat};

/// A place to try the rows at.
pub struct Site {
    /// An attribute whose value can be written back.
    pub rw: &'static str,
    /// One of mode 0444.
    pub ro: &'static str,
    /// One of mode 0200.
    pub wo: &'static str,
    /// A directory with directories.
    pub directory: &'static str,
    /// A directory with links.
    pub links: &'static str,
}

pub const TREE: Site = Site {
    rw: "/sys/bus/test/rw",
    ro: "/sys/bus/test/ro",
    wo: "/sys/bus/test/wo",
    directory: "/sys/bus/test",
    links: "/sys/bus/test/devices",
};

/// The machine's own; its value is only ever written as it is.
pub const OWN: Site = Site {
    rw: "/sys/kernel/rcu_expedited",
    ro: "/sys/kernel/fscaps",
    wo: "/sys/bus/platform/uevent",
    directory: "/sys/bus/platform",
    links: "/sys/class/net",
};

pub struct Row {
    pub name: &'static str,
    run: fn(&Site) -> Outcome,
    pub expected: &'static str,
    /// Whether the machine's own sysfs is asked, too.
    pub own: bool,
}

type Outcome = std::io::Result<String>;

const fn row(name: &'static str, run: fn(&Site) -> Outcome, expected: &'static str) -> Row {
    Row { name, run, expected, own: true }
}

/// Where it would change the machine for others, or where the tree differs.
const fn ours(name: &'static str, run: fn(&Site) -> Outcome, expected: &'static str) -> Row {
    Row { name, run, expected, own: false }
}

pub fn print(site: &Site) {
    for row in ROWS {
        println!("{}: {}", row.name, said((row.run)(site)));
    }
}

pub fn said(outcome: Outcome) -> String {
    match outcome {
        Ok(text) => text,
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOTTY) => "ENOTTY".to_owned(),
            Some(libc::ESPIPE) => "ESPIPE".to_owned(),
            Some(number) => named(number),
            None => error.to_string(),
        },
    }
}

fn named(number: i32) -> String {
    const NAMES: [&str; 16] = [
        "EPERM",
        "ENOENT",
        "EINTR",
        "EIO",
        "EBADF",
        "EACCES",
        "EBUSY",
        "EEXIST",
        "ENODEV",
        "ENOTDIR",
        "EISDIR",
        "EINVAL",
        "ENAMETOOLONG",
        "ENOSYS",
        "EOPNOTSUPP",
        "ERANGE",
    ];
    let name = NAMES.iter().find(|name| Errno::from_name(name).is_some_and(|errno| errno.number() == number));
    name.map_or_else(|| format!("errno {number}"), |name| (*name).to_owned())
}

fn ok<T>(result: std::io::Result<T>) -> Outcome {
    result.map(|_| "ok".to_owned())
}

fn raw(result: libc::c_int) -> Outcome {
    if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok("ok".to_owned()) }
}

fn c(path: impl AsRef<Path>) -> CString {
    CString::new(path.as_ref().as_os_str().as_bytes()).expect("a path")
}

fn absent(site: &Site) -> PathBuf {
    Path::new(site.directory).join("no-such-name")
}

fn write_only(path: &str) -> std::io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

fn mode_and_size(path: &str) -> Outcome {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok(format!("{:o} {}", metadata.mode(), metadata.size()))
}

/// Runs something that must leave the value as it is.
fn unchanged(site: &Site, what: impl FnOnce(&[u8]) -> Outcome) -> Outcome {
    let before = std::fs::read(site.rw)?;
    let said = what(&before)?;
    Ok(format!("{said}, {}", if std::fs::read(site.rw)? == before { "same" } else { "changed" }))
}

fn lengths(whole: &[u8], read: &[u8]) -> Outcome {
    Ok(if whole == read { "whole".to_owned() } else { format!("{} of {}", read.len(), whole.len()) })
}

fn kind(entry: &std::fs::DirEntry) -> char {
    match entry.file_type() {
        Ok(kind) if kind.is_dir() => 'd',
        Ok(kind) if kind.is_symlink() => 'l',
        Ok(kind) if kind.is_file() => 'f',
        _ => '?',
    }
}

fn polled(file: &File) -> std::io::Result<String> {
    let mut fds = [PollFd::from_borrowed_fd(file.as_fd(), PollFlags::IN | PollFlags::PRI)];
    poll(&mut fds, Some(&rustix::event::Timespec::default()))?;
    Ok(format!("{:#x}", fds[0].revents().bits()))
}

fn extended(path: &str, name: &std::ffi::CStr) -> Outcome {
    let mut value = [0u8; 16];
    // SAFETY: the buffer is as long as it says.
    let size =
        unsafe { libc::getxattr(c(path).as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    raw(size as i32)
}

pub const ROWS: &[Row] = &[
    row("stat of an attribute", |site| mode_and_size(site.rw), "100644 4096"),
    row("stat of a read-only attribute", |site| mode_and_size(site.ro), "100444 4096"),
    row("stat of a write-only attribute", |site| mode_and_size(site.wo), "100200 4096"),
    row("stat of a directory", |site| mode_and_size(site.directory), "40755 0"),
    row(
        "statfs",
        |site| {
            let stat = rustix::fs::statfs(site.directory)?;
            Ok(format!("{} {} {}", stat.f_bsize, stat.f_blocks, stat.f_namelen))
        },
        "4096 0 255",
    ),
    row(
        "read, then the end",
        |site| {
            let mut file = File::open(site.rw)?;
            let (mut first, mut second) = ([0; 4096], [0; 4096]);
            let count = file.read(&mut first)?;
            Ok(format!("{} {}", if count > 0 { "some" } else { "none" }, file.read(&mut second)?))
        },
        "some 0",
    ),
    row(
        "read byte by byte",
        |site| {
            let whole = std::fs::read(site.ro)?;
            let mut file = File::open(site.ro)?;
            let (mut bytes, mut byte) = (Vec::new(), [0]);
            while file.read(&mut byte)? == 1 {
                bytes.push(byte[0]);
            }
            lengths(&whole, &bytes)
        },
        "whole",
    ),
    row(
        "read at every offset",
        |site| {
            let whole = std::fs::read(site.ro)?;
            let file = File::open(site.ro)?;
            let mut rest = [0; 4096];
            for at in (0..whole.len()).rev() {
                let count = file.read_at(&mut rest, at as u64)?;
                if rest[..count] != whole[at..] {
                    return Ok(format!("differs at {at}"));
                }
            }
            Ok("whole".to_owned())
        },
        "whole",
    ),
    row("read past the end", |site| Ok(File::open(site.ro)?.read_at(&mut [0; 64], 4000)?.to_string()), "0"),
    row(
        "read again after a seek",
        |site| {
            let mut file = File::open(site.ro)?;
            let (mut first, mut second) = (Vec::new(), Vec::new());
            file.read_to_end(&mut first)?;
            file.seek(SeekFrom::Start(0))?;
            file.read_to_end(&mut second)?;
            lengths(&first, &second)
        },
        "whole",
    ),
    row("open a 0444 attribute for writing", |site| ok(write_only(site.ro)), "EACCES"),
    row(
        "open a 0444 attribute for both",
        |site| ok(OpenOptions::new().read(true).write(true).open(site.ro)),
        "EACCES",
    ),
    row("open a 0200 attribute for reading", |site| ok(File::open(site.wo)), "EACCES"),
    row("open a 0200 attribute for writing", |site| ok(write_only(site.wo)), "ok"),
    row("access(W_OK) of a 0444 attribute as root", |site| ok(Ok(access(site.ro, Access::WRITE_OK)?)), "ok"),
    row("access(R_OK) of a 0200 attribute as root", |site| ok(Ok(access(site.wo, Access::READ_OK)?)), "ok"),
    row("access(X_OK) of an attribute as root", |site| ok(Ok(access(site.rw, Access::EXEC_OK)?)), "EACCES"),
    row(
        "open as tools do and write nothing",
        |site| {
            unchanged(site, |_| {
                ok(OpenOptions::new().write(true).create(true).truncate(true).mode(0o666).open(site.rw))
            })
        },
        "ok, same",
    ),
    row(
        "write as tools do",
        |site| {
            unchanged(site, |value| {
                let mut file =
                    OpenOptions::new().write(true).create(true).truncate(true).mode(0o666).open(site.rw)?;
                Ok(format!("{} bytes too few", value.len() - file.write(value)?))
            })
        },
        "0 bytes too few, same",
    ),
    row(
        "write without a newline",
        |site| {
            unchanged(site, |value| {
                let value = value.strip_suffix(b"\n").unwrap_or(value);
                let count = write_only(site.rw)?.write(value)?;
                // What one reads afterwards is the attribute's business; the tests' tree keeps bytes as they are.
                write_only(site.rw)?.write_all(&[value, b"\n"].concat())?;
                Ok(format!("{} bytes too few", value.len() - count))
            })
        },
        "0 bytes too few, same",
    ),
    row(
        "append",
        |site| unchanged(site, |value| ok(OpenOptions::new().append(true).open(site.rw)?.write_all(value))),
        "ok, same",
    ),
    row(
        "write at an offset",
        |site| {
            unchanged(site, |value| {
                Ok(format!("{} bytes too few", value.len() - write_only(site.rw)?.write_at(value, 1000)?))
            })
        },
        "0 bytes too few, same",
    ),
    row(
        "write in two pieces with one call",
        |site| {
            unchanged(site, |value| {
                let (one, other) = value.split_at(value.len() - 1);
                let count = write_only(site.rw)?.write_vectored(&[IoSlice::new(one), IoSlice::new(other)])?;
                Ok(format!("{} bytes too few", value.len() - count))
            })
        },
        "0 bytes too few, same",
    ),
    row(
        "write no bytes",
        |site| unchanged(site, |_| Ok(write_only(site.rw)?.write(&[])?.to_string())),
        "0, same",
    ),
    row("write no bytes to a 0200 attribute", |site| Ok(write_only(site.wo)?.write(&[])?.to_string()), "0"),
    row(
        "write more than a page",
        |site| {
            let value = std::fs::read(site.rw)?;
            let mut long = value.clone();
            long.resize(5000, 0);
            let count = write_only(site.rw)?.write(&long)?;
            write_only(site.rw)?.write_all(&value)?;
            Ok(count.to_string())
        },
        "4096",
    ),
    ours(
        "write 200 KiB",
        |site| {
            let value = std::fs::read(site.rw)?;
            let count = write_only(site.rw)?.write(&vec![b'1'; 200 << 10])?;
            write_only(site.rw)?.write_all(&value)?;
            Ok(count.to_string())
        },
        "4096",
    ),
    row(
        "truncate(2)",
        |site| {
            // SAFETY: the path ends with a zero, and lives until the call is over.
            unchanged(site, |_| raw(unsafe { libc::truncate(c(site.rw).as_ptr(), 0) }))
        },
        "ok, same",
    ),
    row("ftruncate(2)", |site| unchanged(site, |_| ok(write_only(site.rw)?.set_len(7))), "ok, same"),
    row("size after truncate(2)", |site| mode_and_size(site.rw), "100644 4096"),
    row("seek to the end", |site| Ok(File::open(site.ro)?.seek(SeekFrom::End(0))?.to_string()), "4096"),
    row("fsync(2)", |site| ok(write_only(site.rw)?.sync_all()), "ok"),
    row(
        "fallocate(2)",
        |site| ok(Ok(fallocate(write_only(site.rw)?, FallocateFlags::empty(), 0, 10)?)),
        "EOPNOTSUPP",
    ),
    row(
        "ioctl(2)",
        |site| {
            let file = File::open(site.ro)?;
            // SAFETY: the file is open, and the buffer is longer than the kernel's termios, which has 36 bytes.
            raw(unsafe { libc::ioctl(file.as_raw_fd(), libc::TCGETS, [0u8; 64].as_mut_ptr()) })
        },
        "ENOTTY",
    ),
    row(
        "shared mmap(2)",
        |site| {
            let file = File::open(site.ro)?;
            // SAFETY: the kernel chooses the place, so nothing that is in use is replaced; nobody reads what is there.
            let at = unsafe {
                libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0)
            };
            if at == libc::MAP_FAILED {
                Err(std::io::Error::last_os_error())
            } else {
                Ok("mapped".to_owned())
            }
        },
        "ENODEV",
    ),
    row(
        "poll(2) before and after reading",
        |site| {
            let mut file = File::open(site.ro)?;
            let before = polled(&file)?;
            file.read_to_end(&mut Vec::new())?;
            Ok(format!("{before} {}", polled(&file)?))
        },
        "0xb 0x1",
    ),
    row("open what isn't there", |site| ok(File::open(absent(site))), "ENOENT"),
    row(
        "create a file",
        |site| ok(OpenOptions::new().write(true).create(true).truncate(true).open(absent(site))),
        "EACCES",
    ),
    row(
        "create a file exclusively",
        |site| ok(OpenOptions::new().write(true).create_new(true).open(absent(site))),
        "EACCES",
    ),
    row(
        "create what is there exclusively",
        |site| ok(OpenOptions::new().write(true).create_new(true).open(site.rw)),
        "EEXIST",
    ),
    row(
        "mknod(2) of a file",
        |site| ok(Ok(mknodat(rustix::fs::CWD, absent(site), FileType::RegularFile, Mode::RUSR, 0)?)),
        "EACCES",
    ),
    row(
        "mknod(2) of a pipe",
        |site| ok(Ok(mknodat(rustix::fs::CWD, absent(site), FileType::Fifo, Mode::RUSR, 0)?)),
        "EPERM",
    ),
    row("mkdir(2)", |site| ok(std::fs::create_dir(absent(site))), "EPERM"),
    row("mkdir(2) of what is there", |site| ok(std::fs::create_dir(site.directory)), "EEXIST"),
    row("unlink(2)", |site| ok(std::fs::remove_file(site.rw)), "EPERM"),
    row("unlink(2) of what isn't there", |site| ok(std::fs::remove_file(absent(site))), "ENOENT"),
    row("rmdir(2)", |site| ok(std::fs::remove_dir(site.directory)), "EPERM"),
    row("rename(2)", |site| ok(std::fs::rename(site.rw, absent(site))), "EPERM"),
    row("link(2)", |site| ok(std::fs::hard_link(site.rw, absent(site))), "EPERM"),
    row("symlink(2)", |site| ok(std::os::unix::fs::symlink("x", absent(site))), "EPERM"),
    row("open a directory for writing", |site| ok(write_only(site.directory)), "EISDIR"),
    row("read a directory", |site| Ok(File::open(site.directory)?.read(&mut [0; 8])?.to_string()), "EISDIR"),
    row("open an attribute as a directory", |site| ok(std::fs::read_dir(site.rw)), "ENOTDIR"),
    row(
        "look below an attribute",
        |site| ok(std::fs::symlink_metadata(Path::new(site.rw).join("x"))),
        "ENOTDIR",
    ),
    row("follow a link that isn't one", |site| ok(std::fs::read_link(site.rw)), "EINVAL"),
    // Newer kernels have them (ENODATA).
    ours("an extended attribute", |site| extended(site.rw, c"user.x"), "EOPNOTSUPP"),
    // After this answer `ls -l` asks for no other file's; after "none" it asks for each.
    row("an access list", |site| extended(site.rw, c"system.posix_acl_access"), "EOPNOTSUPP"),
    row(
        "a directory's access list",
        |site| extended(site.directory, c"system.posix_acl_default"),
        "EOPNOTSUPP",
    ),
    row(
        "types of a directory's entries",
        |site| {
            let mut kinds: Vec<char> =
                std::fs::read_dir(site.directory)?.flatten().map(|entry| kind(&entry)).collect();
            kinds.sort_unstable();
            kinds.dedup();
            Ok(kinds.into_iter().collect())
        },
        "df",
    ),
    row(
        "types of links",
        |site| {
            let entries: Vec<_> = std::fs::read_dir(site.links)?.flatten().collect();
            let links = entries.iter().filter(|entry| kind(entry) == 'l').count();
            Ok(format!("{} others", entries.len() - links))
        },
        "0 others",
    ),
    row(
        "links are relative",
        |site| {
            let Some(entry) = std::fs::read_dir(site.links)?.flatten().next() else {
                return Ok("none".to_owned());
            };
            let target = std::fs::read_link(entry.path())?;
            Ok(format!(
                "{} {}",
                target.starts_with("../../"),
                entry.path().canonicalize()?.starts_with("/sys/devices")
            ))
        },
        "true true",
    ),
    row(
        "inodes in the listing and of stat",
        |site| {
            let mut wrong = 0;
            for entry in std::fs::read_dir(site.directory)?.flatten() {
                wrong += usize::from(std::fs::symlink_metadata(entry.path())?.ino() != entry.ino());
            }
            Ok(format!("{wrong} differ"))
        },
        "0 differ",
    ),
    row(
        "inodes are stable",
        |site| {
            let one = std::fs::symlink_metadata(site.rw)?.ino();
            let other = File::open(site.rw)?.metadata()?.ino();
            Ok((one == other).to_string())
        },
        "true",
    ),
    row(
        "chmod to the same mode",
        |site| {
            let mode = std::fs::metadata(site.rw)?.permissions();
            std::fs::set_permissions(site.rw, mode)?;
            mode_and_size(site.rw)
        },
        "100644 4096",
    ),
    ours(
        "chmod takes a right away, also from root",
        |site| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(site.rw, PermissionsExt::from_mode(0o444))?;
            let denied = said(ok(write_only(site.rw)));
            std::fs::set_permissions(site.rw, PermissionsExt::from_mode(0o644))?;
            Ok(format!("{denied}, then {}", said(ok(write_only(site.rw)))))
        },
        "EACCES, then ok",
    ),
    ours(
        "chmod gives no right that there is no function for",
        |site| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(site.ro, PermissionsExt::from_mode(0o666))?;
            let denied = said(ok(write_only(site.ro)));
            let seen = mode_and_size(site.ro)?;
            std::fs::set_permissions(site.ro, PermissionsExt::from_mode(0o444))?;
            Ok(format!("{seen} {denied}"))
        },
        "100666 4096 EACCES",
    ),
    ours(
        "times are remembered",
        |site| {
            let times =
                [libc::timespec { tv_sec: 1000, tv_nsec: 0 }, libc::timespec { tv_sec: 2000, tv_nsec: 0 }];
            // SAFETY: the path ends with a zero, and the two times are those that the call reads.
            raw(unsafe { libc::utimensat(libc::AT_FDCWD, c(site.rw).as_ptr(), times.as_ptr(), 0) })?;
            Ok(std::fs::metadata(site.rw)?.mtime().to_string())
        },
        "2000",
    ),
];
