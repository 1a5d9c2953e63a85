//! A process that answers intercepted calls as long as anybody makes some.
//!
//! What a command that entered a run leaves in the background outlives who entered, and its calls are still held up:
//! without an answer each would fail. What is answered is not known here.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use super::namespaces::child;

/// The process that will answer, once it is told whose calls.
pub(super) struct Answering {
    told: OwnedFd,
}

impl Answering {
    /// Starts it: it does `answer` with the descriptor that it is told, and ends. To be called while this process has a
    /// single thread.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn start(answer: impl FnOnce(&OwnedFd)) -> io::Result<Answering> {
        let (told, asked) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        // (Its own end of the pair must be the only one, or it would wait for itself to tell.)
        let mut told = Some(told);
        child(|| {
            told = None;
            let listener = apart().and_then(|()| receive(&asked));
            listener.ok().flatten().is_some_and(|listener| {
                answer(&listener);
                true
            })
        })?;
        told.map(|told| Answering { told }).ok_or_else(|| io::Error::other("only the child is without it"))
    }

    /// Tells it who is to be answered. If that is not known, it ends by itself.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn tell(self, listener: &OwnedFd) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut with = SendAncillaryBuffer::new(&mut space);
        let rights = [listener.as_fd()];
        with.push(SendAncillaryMessage::ScmRights(&rights));
        sendmsg(&self.told, &[IoSlice::new(b"l")], &mut with, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

/// No key of a terminal ends it, and nobody who reads what the command prints waits for it.
fn apart() -> io::Result<()> {
    rustix::process::setsid()?;
    let nothing = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(&nothing)?;
    Ok(())
}

/// What it is told; `None` if nobody tells any more.
fn receive(asked: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut with = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(asked, &mut [IoSliceMut::new(&mut byte)], &mut with, RecvFlags::CMSG_CLOEXEC)?;
    let first = with.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok(first)
}
