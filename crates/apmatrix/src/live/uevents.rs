//! What the kernel tells of devices, from its netlink socket.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

const KERNEL_GROUP: u32 = 1;

/// An event of a device.
pub(super) struct Heard {
    pub(super) action: String,
    pub(super) devpath: String,
    variables: Vec<(String, String)>,
}

impl Heard {
    /// The value of a variable.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    /// `ACTION@DEVPATH`, then `KEY=VALUE`, each ended by a zero.
    fn parse(message: &[u8]) -> Option<Heard> {
        let text = String::from_utf8_lossy(message);
        let mut parts = text.split('\0');
        let (action, devpath) = parts.next()?.split_once('@')?;
        let variables = parts.filter_map(|part| part.split_once('='));
        Some(Heard {
            action: action.to_owned(),
            devpath: devpath.to_owned(),
            variables: variables.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        })
    }
}

/// A socket on which the kernel tells.
pub(super) struct Uevents(OwnedFd);

impl Uevents {
    /// Opens it; any user may.
    pub(super) fn open() -> io::Result<Uevents> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(KOBJECT_UEVENT))?;
        bind(&socket, &SocketAddrNetlink::new(0, KERNEL_GROUP))?;
        Ok(Uevents(socket))
    }

    /// What came since the last question; `None` where something got lost.
    pub(super) fn heard(&mut self) -> Vec<Option<Heard>> {
        let mut all = Vec::new();
        let mut buffer = [0_u8; 8192];
        // Whoever floods the socket does not keep us here for ever.
        while all.len() < 10_000 {
            match recv(&self.0, &mut buffer, RecvFlags::empty()) {
                Ok((count, _)) => {
                    if let Some(heard) = Heard::parse(&buffer[..count.min(buffer.len())]) {
                        all.push(Some(heard));
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::NOBUFS) => all.push(None),
                Err(_) => break,
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_an_event() {
        let heard = Heard::parse(b"bind@/devices/ap/card04/04.0006\0ACTION=bind\0DRIVER=vfio_ap\0");
        let heard = heard.expect("it is one");
        assert_eq!((heard.action.as_str(), heard.devpath.as_str()), ("bind", "/devices/ap/card04/04.0006"));
        assert_eq!(heard.variable("DRIVER").as_deref(), Some("vfio_ap"));
        assert!(Heard::parse(b"libudev\0").is_none());
        assert!(Heard::parse(b"").is_none());
    }
}
