//! Wakes the thread that sleeps in read(2) on `/dev/fuse` when background work falls due.
//!
//! Polling with a time limit before each read would do, and cost each request another system call and another sleep.
//! Instead a thread of its own sleeps until then and interrupts the read with a signal, again and again until the
//! reader says that it has seen it: a signal that comes just before the read begins is lost.
//!
//! The signal is SIGURG, which nobody else uses and which does nothing wherever it is not caught. (Asking the kernel
//! for a piece of the root's page cache, whose answer would be a message to read, is refused for directories.)

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// From one signal to the next, at first and at last.
const AGAIN: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(64)];

#[derive(Default)]
struct State {
    /// When to wake the reader; stays until it has seen that.
    due: Option<Instant>,
    /// The reader.
    thread: libc::pid_t,
    over: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reader's side; its thread ends with it.
pub struct Clock {
    shared: Arc<Shared>,
    /// The wake that is still to come.
    armed: Option<Instant>,
    /// Whether the reader is known, and hears the signal.
    heard: bool,
}

impl Clock {
    /// Starts the thread.
    pub fn start() -> io::Result<Clock> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new().name("clock".to_owned()).spawn(move || run(&theirs))?;
        Ok(Clock { shared, armed: None, heard: false })
    }

    /// Has the calling thread, always the same, woken at `due` or earlier.
    pub fn arm(&mut self, due: Instant) {
        if self.armed.is_some_and(|armed| armed <= due) {
            return;
        }
        if !self.heard {
            hear();
            self.heard = true;
        }
        self.armed = Some(due);
        let mut state = self.shared.lock();
        state.due = Some(due);
        state.thread = rustix::thread::gettid().as_raw_pid();
        drop(state);
        self.shared.changed.notify_one();
    }

    /// The reader is awake: if it is time, it needs no more signals.
    pub fn awake(&mut self) {
        if self.armed.is_some_and(|armed| armed <= Instant::now()) {
            self.armed = None;
            self.shared.lock().due = None;
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_one();
    }
}

fn run(shared: &Shared) {
    let mut state = shared.lock();
    let mut again = AGAIN[0];
    while !state.over {
        let left = state.due.map(|due| due.saturating_duration_since(Instant::now()));
        let patience = match left {
            Some(Duration::ZERO) => {
                signal(state.thread);
                again = (again * 2).min(AGAIN[1]);
                again
            }
            Some(left) => {
                again = AGAIN[0];
                left
            }
            // Armed again, it is notified.
            None => Duration::MAX,
        };
        state = shared.changed.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0;
    }
}

extern "C" fn nothing(_: libc::c_int) {}

/// Has SIGURG interrupt this thread's system calls.
fn hear() {
    // SAFETY: the structures are plain data, and the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as libc::sighandler_t;
        libc::sigaction(libc::SIGURG, &raw const action, std::ptr::null_mut());
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&raw mut set, libc::SIGURG);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
    }
}

fn signal(thread: libc::pid_t) {
    // SAFETY: only numbers; a thread that is gone is an error that does not matter.
    unsafe {
        libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, libc::SIGURG);
    }
}
