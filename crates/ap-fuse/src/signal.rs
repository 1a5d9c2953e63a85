//! Signals of this process are blocked, and waited for one after the other. What they mean is their waiter's business.

/// Blocks signals for [`wait`]; blocked ones reach process 1, too, and don't end it.
pub fn block(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: plain data that sigemptyset fills in; the calls can't fail with valid numbers.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        set
    }
}

/// Unblocks all signals.
pub fn unblock_all() {
    // SAFETY: plain data that sigemptyset fills in.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}

/// A signal that came.
pub struct Caught {
    /// Its number.
    pub signal: i32,
    /// The process that sent it; 0 if it is not visible from here.
    pub sender: i32,
    /// Whether the kernel sent it by itself, as for a key.
    pub by_kernel: bool,
}

/// Waits for one of the blocked signals.
pub fn wait(signals: &libc::sigset_t) -> Caught {
    // SAFETY: plain data that the call fills in; si_pid is valid for signals from processes and 0 otherwise.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let signal = libc::sigwaitinfo(signals, &raw mut info);
        Caught {
            signal,
            sender: if signal > 0 { info.si_pid() } else { 0 },
            by_kernel: signal > 0 && info.si_code == libc::SI_KERNEL,
        }
    }
}

/// Ends this process by a signal, without a dump of its memory; with `group`, everybody in its process group gets it,
/// too.
pub fn die_of(signal: i32, group: bool) {
    // SAFETY: only numbers and plain data.
    unsafe {
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        libc::signal(signal, libc::SIG_DFL);
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::kill(if group { 0 } else { libc::getpid() }, signal);
    }
}
