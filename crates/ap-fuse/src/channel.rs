//! How requests come and answers go: `/dev/fuse` today, a ring per CPU some day.
//!
//! What is in them is not looked at here.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::clock::Clock;
use crate::wire::Message;

/// What came of waiting for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A request of so many bytes.
    Request(usize),
    /// None within the time that was allowed.
    Nothing,
    /// The file system is unmounted, or its connection was cut: none will come any more.
    Closed,
}

/// A source of requests, for the one thread that serves them.
pub trait Channel {
    /// Waits for a request, as long as `patience` (for ever without) or less.
    ///
    /// # Errors
    /// What the kernel says; nothing that waiting again would cure.
    fn receive(&mut self, buffer: &mut [u8], patience: Option<Duration>) -> io::Result<Received>;

    /// Where answers and notifications go.
    fn outlet(&self) -> Arc<dyn Outlet>;
}

/// The way to the kernel, for any thread.
pub trait Outlet: Send + Sync {
    /// Sends a reply or a notification.
    ///
    /// A notification may block until clients that hold a directory got *their* answers: the thread that serves
    /// must never send one.
    ///
    /// # Errors
    /// What the kernel says, except that nobody waits for it any more.
    fn send(&self, message: &mut Message) -> io::Result<()>;
}

/// `/dev/fuse`, opened and mounted.
pub struct DevFuse {
    device: Arc<OwnedFd>,
    clock: Clock,
}

impl DevFuse {
    /// The channel of a mounted device.
    ///
    /// # Errors
    /// If a thread can't be made.
    pub fn new(device: OwnedFd) -> io::Result<DevFuse> {
        Ok(DevFuse { device: Arc::new(device), clock: Clock::start()? })
    }
}

impl Channel for DevFuse {
    fn receive(&mut self, buffer: &mut [u8], patience: Option<Duration>) -> io::Result<Received> {
        match patience {
            Some(Duration::ZERO) => return Ok(Received::Nothing),
            Some(patience) => self.clock.arm(Instant::now() + patience),
            None => {}
        }
        let read = rustix::io::read(&*self.device, &mut *buffer);
        if patience.is_some() {
            self.clock.awake();
        }
        match read {
            Ok(length) => Ok(Received::Request(length)),
            // The request was withdrawn (ENOENT), or a signal came: look again.
            Err(Errno::NOENT | Errno::INTR | Errno::AGAIN) => Ok(Received::Nothing),
            Err(Errno::NODEV | Errno::CONNABORTED) => Ok(Received::Closed),
            Err(errno) => Err(errno.into()),
        }
    }

    fn outlet(&self) -> Arc<dyn Outlet> {
        Arc::new(ToDevice(Arc::clone(&self.device)))
    }
}

struct ToDevice(Arc<OwnedFd>);

impl Outlet for ToDevice {
    fn send(&self, message: &mut Message) -> io::Result<()> {
        match rustix::io::write(&*self.0, message.finish()) {
            // Whoever waited is gone, or the kernel had forgotten already, or all is over.
            Ok(_) | Err(Errno::NOENT | Errno::NODEV | Errno::NOTCONN | Errno::CONNABORTED) => Ok(()),
            // A directory that is gone while somebody has something in it open: its name is dropped all the same.
            Err(Errno::NOTEMPTY | Errno::BUSY) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}
