//! Which system calls are intercepted, as a program for seccomp(2), and its installation.
//!
//! What they are answered is not known here.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// The calls, by their numbers on this processor.
pub mod call {
    #![allow(missing_docs)]

    use libc::{
        SYS_delete_module, SYS_finit_module, SYS_fstatfs, SYS_init_module, SYS_lseek, SYS_openat, SYS_statfs,
    };

    pub const INIT_MODULE: i64 = SYS_init_module;
    pub const FINIT_MODULE: i64 = SYS_finit_module;
    pub const DELETE_MODULE: i64 = SYS_delete_module;
    pub const STATFS: i64 = SYS_statfs;
    pub const FSTATFS: i64 = SYS_fstatfs;
    pub const OPENAT: i64 = SYS_openat;
    pub const LSEEK: i64 = SYS_lseek;
    /// The one without a directory, where there is one.
    #[cfg(any(target_arch = "x86_64", target_arch = "s390x", target_arch = "powerpc64"))]
    pub const OPEN: i64 = libc::SYS_open;
    #[cfg(not(any(target_arch = "x86_64", target_arch = "s390x", target_arch = "powerpc64")))]
    pub const OPEN: i64 = -1;
}

/// The largest offset that sysfs takes.
pub const FARTHEST: u32 = 0x7fff_ffff;

#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xc000_00b7;
#[cfg(target_arch = "s390x")]
const NATIVE: u32 = 0x8000_0016;
#[cfg(all(target_arch = "powerpc64", target_endian = "little"))]
const NATIVE: u32 = 0xc000_0015;
#[cfg(target_arch = "riscv64")]
const NATIVE: u32 = 0xc000_00f3;
/// Others run without.
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "s390x",
    all(target_arch = "powerpc64", target_endian = "little"),
    target_arch = "riscv64"
)))]
const NATIVE: u32 = 0;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

const LOAD: u16 = 0x20; // a word of the data
const AND: u16 = 0x54;
const IF_EQUAL: u16 = 0x15;
const IF_GREATER: u16 = 0x25;
const IF_SET: u16 = 0x45;
const RETURN: u16 = 0x06;

const ALLOW: u32 = 0x7fff_0000;
const NOTIFY: u32 = 0x7fc0_0000;
const REFUSE: u32 = 0x0005_0000 | libc::EPERM as u32;

/// What O_TMPFILE adds to O_DIRECTORY.
const TEMPORARY: u32 = (libc::O_TMPFILE & !libc::O_DIRECTORY) as u32;

fn op(code: u16, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt: 0, jf: 0, k }
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

/// Where the low and the high word of an argument are.
fn words(argument: u32) -> (u32, u32) {
    let at = ARGUMENTS + 8 * argument;
    if cfg!(target_endian = "big") { (at + 4, at) } else { (at, at + 4) }
}

/// The program.
///
/// `rare` calls are notified whatever their arguments are. Of opens those that read and write: nearly all others only
/// read, and would be held up for nothing. Of seeks those beyond what sysfs has. Everything else costs nothing: the
/// kernel remembers that a call is allowed whatever its arguments are.
fn program() -> Vec<libc::sock_filter> {
    let rare = [call::INIT_MODULE, call::FINIT_MODULE, call::DELETE_MODULE, call::STATFS, call::FSTATFS];
    let mut program = vec![op(LOAD, ARCHITECTURE)];
    // Programs for another processor: the modules' calls have other numbers, and are refused.
    let foreign: Vec<libc::sock_filter> = [op(LOAD, NUMBER)]
        .into_iter()
        .chain(COMPATIBLE.iter().flat_map(|number| [jump(IF_EQUAL, *number, 0, 1), op(RETURN, REFUSE)]))
        .chain([op(RETURN, ALLOW)])
        .collect();
    program.push(jump(IF_EQUAL, NATIVE, foreign.len() as u8, 0));
    program.extend(foreign);
    program.push(op(LOAD, NUMBER));
    for number in SECOND_TABLE {
        program.extend([jump(IF_EQUAL, number, 0, 1), op(RETURN, REFUSE)]);
    }
    for number in rare {
        program.extend([jump(IF_EQUAL, number as u32, 0, 1), op(RETURN, NOTIFY)]);
    }
    for (number, flags) in [(call::OPENAT, 2), (call::OPEN, 1)] {
        let (low, _) = words(flags);
        let body = [
            op(LOAD, low),
            jump(IF_SET, TEMPORARY, 3, 0),
            op(AND, libc::O_ACCMODE as u32),
            jump(IF_EQUAL, libc::O_RDWR as u32, 0, 1),
            op(RETURN, NOTIFY),
            op(RETURN, ALLOW),
        ];
        program.push(jump(IF_EQUAL, number as u32, 0, body.len() as u8));
        program.extend(body);
    }
    let (low, high) = words(1);
    let (whence, _) = words(2);
    let body = [
        op(LOAD, whence),
        jump(IF_EQUAL, libc::SEEK_SET as u32, 0, 5),
        op(LOAD, high),
        jump(IF_GREATER, 0, 2, 0),
        op(LOAD, low),
        jump(IF_GREATER, FARTHEST, 0, 1),
        op(RETURN, NOTIFY),
        op(RETURN, ALLOW),
    ];
    program.push(jump(IF_EQUAL, call::LSEEK as u32, 0, body.len() as u8));
    program.extend(body);
    program.push(op(RETURN, ALLOW));
    program
}

/// init_module, delete_module and finit_module of the other kind of programs that this processor runs.
#[cfg(target_arch = "x86_64")]
const COMPATIBLE: [u32; 3] = [128, 129, 350];
#[cfg(target_arch = "s390x")]
const COMPATIBLE: [u32; 3] = [128, 129, 344];
#[cfg(target_arch = "aarch64")]
const COMPATIBLE: [u32; 3] = [128, 129, 379];
#[cfg(not(any(target_arch = "x86_64", target_arch = "s390x", target_arch = "aarch64")))]
const COMPATIBLE: [u32; 0] = [];

/// The same three where this processor has a second table of calls under the same name: x32's.
#[cfg(target_arch = "x86_64")]
const SECOND_TABLE: [u32; 3] = [0x4000_0000 + 175, 0x4000_0000 + 176, 0x4000_0000 + 313];
#[cfg(not(target_arch = "x86_64"))]
const SECOND_TABLE: [u32; 0] = [];

/// Has the calls of this thread, and of all processes that it starts, intercepted: whoever has the descriptor answers
/// them.
///
/// # Errors
/// `EBUSY` if they are intercepted by somebody else already, `EACCES` without the right to.
pub fn install() -> io::Result<OwnedFd> {
    const SET_FILTER: u64 = 1;
    const NEW_LISTENER: u64 = 1 << 3;
    // A call that is being answered is withdrawn by no signal but a deadly one (Linux 5.19): else it would be made
    // again, though it was carried out already.
    const ONLY_KILLED: u64 = 1 << 5;
    if NATIVE == 0 {
        return Err(io::Error::from_raw_os_error(libc::ENOSYS));
    }
    let mut program = program();
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    let install = |flags: u64| {
        // SAFETY: the program outlives the call, which copies it; with these flags it returns a new descriptor.
        unsafe {
            let fd = libc::syscall(libc::SYS_seccomp, SET_FILTER, flags, &raw const filter);
            if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd as i32)) }
        }
    };
    match install(NEW_LISTENER | ONLY_KILLED) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => install(NEW_LISTENER),
        installed => installed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel would.
    fn verdict(architecture: u32, number: i64, arguments: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend((number as u32).to_ne_bytes());
        data.extend(architecture.to_ne_bytes());
        data.extend([0; 8]);
        arguments.iter().for_each(|argument| data.extend(argument.to_ne_bytes()));
        let program = program();
        let (mut at, mut word) = (0, 0_u32);
        loop {
            let libc::sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let mut branch = |taken: bool| at += usize::from(if taken { jt } else { jf });
            match code {
                LOAD => {
                    let at = k as usize;
                    word = u32::from_ne_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]]);
                }
                AND => word &= k,
                IF_EQUAL => branch(word == k),
                IF_GREATER => branch(word > k),
                IF_SET => branch(word & k != 0),
                RETURN => return k,
                other => panic!("no such operation: {other}"),
            }
        }
    }

    #[test]
    fn what_is_intercepted() {
        let open = |flags: i32| verdict(NATIVE, call::OPENAT, [0, 0, flags as u64, 0, 0, 0]);
        assert_eq!(open(libc::O_RDONLY), ALLOW);
        assert_eq!(open(libc::O_RDONLY | libc::O_CLOEXEC | libc::O_DIRECTORY), ALLOW);
        assert_eq!(open(libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC), ALLOW);
        assert_eq!(open(libc::O_RDWR | libc::O_TMPFILE), ALLOW);
        assert_eq!(open(libc::O_RDWR | libc::O_CLOEXEC), NOTIFY);
        assert_eq!(open(libc::O_RDWR | libc::O_CREAT), NOTIFY);
        if call::OPEN >= 0 {
            assert_eq!(verdict(NATIVE, call::OPEN, [0, libc::O_RDWR as u64, 0, 0, 0, 0]), NOTIFY);
        }
        for number in [call::INIT_MODULE, call::FINIT_MODULE, call::DELETE_MODULE, call::STATFS] {
            assert_eq!(verdict(NATIVE, number, [0; 6]), NOTIFY);
        }
        assert_eq!(verdict(NATIVE, libc::SYS_read, [0; 6]), ALLOW);
        let seek = |offset: i64, whence: i32| {
            verdict(NATIVE, call::LSEEK, [0, offset as u64, whence as u64, 0, 0, 0])
        };
        assert_eq!(seek(4096, libc::SEEK_SET), ALLOW);
        assert_eq!(seek(i64::from(FARTHEST), libc::SEEK_SET), ALLOW);
        assert_eq!(seek(i64::from(FARTHEST) + 1, libc::SEEK_SET), NOTIFY);
        assert_eq!(seek(1 << 40, libc::SEEK_SET), NOTIFY);
        assert_eq!(seek(1 << 40, libc::SEEK_CUR), ALLOW);
    }

    #[test]
    fn other_processors_programs_may_not_load_modules() {
        for number in COMPATIBLE {
            assert_eq!(verdict(0x1234, i64::from(number), [0; 6]), REFUSE);
        }
        assert_eq!(verdict(0x1234, 5, [0; 6]), ALLOW);
        for number in SECOND_TABLE {
            assert_eq!(verdict(NATIVE, i64::from(number), [0; 6]), REFUSE);
        }
    }
}
