//! uevents on netlink, as the kernel and udev would send them, inside a network namespace of one's own.
//!
//! The kernel's group: a message *to the kernel*, which puts a `SEQNUM` behind it and sends it to whoever listens in
//! this network namespace (a message that user space sends to the group itself is dropped by libudev). udev's
//! group: the same variables behind libudev's header, from us, since no udevd runs in here.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use ap_sysfs::Uevent;
use rustix::fs::{Mode, OFlags, openat};
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with,
};

const UDEV_GROUP: u32 = 2;
const KERNEL_GROUP: u32 = 1;
/// The kernel takes no longer message from user space.
const LONGEST: usize = 2048;

/// Sends uevents in the network namespace in which it was made.
pub struct Uevents {
    /// Talks to the kernel, which answers here.
    kernel: OwnedFd,
    /// Hears what the kernel made of it: the `SEQNUM`.
    echo: OwnedFd,
    /// A `/proc` in which we are.
    proc: Option<OwnedFd>,
    started: Instant,
}

impl Uevents {
    /// Opens the sockets. `proc` is a `/proc` in which this process is: the namespaces' own has it not.
    ///
    /// # Errors
    /// If the kernel refuses them.
    pub fn open(proc: Option<OwnedFd>) -> io::Result<Uevents> {
        let socket = |groups| -> rustix::io::Result<OwnedFd> {
            let flags = SocketFlags::CLOEXEC;
            let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(KOBJECT_UEVENT))?;
            bind(&socket, &SocketAddrNetlink::new(0, groups))?;
            Ok(socket)
        };
        Ok(Uevents { kernel: socket(0)?, echo: socket(KERNEL_GROUP)?, proc, started: Instant::now() })
    }

    /// Sends one event to both groups; what can't be sent is logged, as there is nobody to tell.
    pub fn send(&mut self, uevent: &Uevent) {
        let sequence = match self.ask_kernel(uevent) {
            Ok(sequence) => sequence,
            Err(error) => {
                tracing::warn!("no uevent {}@{}: {error}", uevent.action, uevent.devpath);
                0
            }
        };
        if self.udevd_listens() {
            // It sends its own, with what its rules make of it.
            return;
        }
        // Nobody listening is no error worth a word.
        let microseconds = self.started.elapsed().as_micros() as u64 + 1;
        let _ = sendto(
            &self.kernel,
            &udev_message(uevent, sequence, microseconds),
            SendFlags::empty(),
            &SocketAddrNetlink::new(0, UDEV_GROUP),
        );
    }

    /// Whether a udevd runs in this network namespace: it has bound its control socket.
    fn udevd_listens(&self) -> bool {
        const CONTROL: &str = "/run/udev/control";
        let is_socket = std::fs::symlink_metadata(CONTROL)
            .is_ok_and(|metadata| std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type()));
        // A socket that is left of one that was killed has nobody behind it.
        is_socket && self.sockets().is_some_and(|sockets| sockets.lines().any(|line| line.ends_with(CONTROL)))
    }

    /// The sockets of this network namespace that have names.
    fn sockets(&self) -> Option<String> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(self.proc.as_ref()?, "self/net/unix", flags, Mode::empty()).ok()?;
        let mut text = String::new();
        io::Read::read_to_string(&mut std::fs::File::from(file), &mut text).ok()?;
        Some(text)
    }

    fn ask_kernel(&mut self, uevent: &Uevent) -> io::Result<u64> {
        while recv(&self.echo, &mut [0; LONGEST * 2][..], RecvFlags::DONTWAIT).is_ok() {}
        let message = kernel_message(uevent);
        sendto(&self.kernel, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        let mut answer = [0; LONGEST * 2];
        let (_, length) = recv(&self.kernel, &mut answer[..], RecvFlags::empty())?;
        let error = answer
            .get(16..20)
            .filter(|_| length >= 20)
            .map_or(0, |field| i32::from_ne_bytes([field[0], field[1], field[2], field[3]]));
        if error != 0 {
            return Err(io::Error::from_raw_os_error(-error));
        }
        let own = format!("{}@{}", uevent.action, uevent.devpath);
        while let Ok((_, length)) = recv(&self.echo, &mut answer[..], RecvFlags::DONTWAIT) {
            let mut fields = answer[..length.min(answer.len())].split(|byte| *byte == 0);
            if fields.next() == Some(own.as_bytes()) {
                let number = fields.find_map(|field| field.strip_prefix(b"SEQNUM="));
                return Ok(number.and_then(|n| std::str::from_utf8(n).ok()?.parse().ok()).unwrap_or(0));
            }
        }
        Ok(0)
    }
}

/// The event as the kernel takes it: netlink's header (a request, to be acknowledged), then the text.
fn kernel_message(uevent: &Uevent) -> Vec<u8> {
    const TYPE: u16 = 0x10;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 1 | 4;
    let Uevent { action, devpath, env } = uevent;
    let mut text = format!("{action}@{devpath}\0ACTION={action}\0DEVPATH={devpath}\0").into_bytes();
    append(&mut text, env);
    let mut message = Vec::with_capacity(16 + text.len());
    message.extend_from_slice(&(16 + text.len() as u32).to_ne_bytes());
    message.extend_from_slice(&TYPE.to_ne_bytes());
    message.extend_from_slice(&REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&text);
    message
}

/// The event as udevd would send it after its rules: libudev's header, then the variables.
fn udev_message(uevent: &Uevent, sequence: u64, microseconds: u64) -> Vec<u8> {
    const HEADER: u32 = 40;
    let Uevent { action, devpath, env } = uevent;
    let mut variables = format!("ACTION={action}\0DEVPATH={devpath}\0").into_bytes();
    append(&mut variables, env);
    variables.extend_from_slice(format!("SEQNUM={sequence}\0USEC_INITIALIZED={microseconds}\0").as_bytes());
    let value = |key| env.iter().find(|(k, _)| k == key).map(|(_, value)| hash(value.as_bytes()));
    let mut message = Vec::with_capacity(HEADER as usize + variables.len());
    message.extend_from_slice(b"libudev\0");
    message.extend_from_slice(&0xfeed_cafe_u32.to_be_bytes());
    for word in [HEADER, HEADER, variables.len() as u32] {
        message.extend_from_slice(&word.to_ne_bytes());
    }
    for key in ["SUBSYSTEM", "DEVTYPE"] {
        message.extend_from_slice(&value(key).unwrap_or(0).to_be_bytes());
    }
    message.extend_from_slice(&[0; 8]); // no tags
    message.extend_from_slice(&variables);
    message
}

fn append(text: &mut Vec<u8>, env: &[(String, String)]) {
    for (key, value) in env {
        text.extend_from_slice(key.as_bytes());
        text.push(b'=');
        text.extend_from_slice(value.as_bytes());
        text.push(0);
    }
}

/// MurmurHash2 with seed 0: what listeners' filters compare.
fn hash(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let rest = words.remainder();
    for (at, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * at);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// Brings the loopback interface of a new network namespace up, for programs that talk to themselves; whether we may.
pub fn loopback_up() -> bool {
    let Ok(socket) = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None) else { return false };
    // SAFETY: a zeroed ifreq is valid; the calls read and write it and nothing else.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
            *to = *from as libc::c_char;
        }
        let fd = std::os::fd::AsRawFd::as_raw_fd(&socket);
        if libc::ioctl(fd, libc::SIOCGIFFLAGS, &raw mut request) != 0 {
            return false;
        }
        request.ifr_ifru.ifru_flags |= (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        libc::ioctl(fd, libc::SIOCSIFFLAGS, &raw mut request) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a little-endian machine writes, or a big-endian one: this one.
    fn of_this_machine<T>(little: T, big: T) -> T {
        if cfg!(target_endian = "big") { big } else { little }
    }

    #[test]
    fn the_hash_is_murmurs() {
        // From a second implementation, for both orders: udev reads words as the machine does, so that from four
        // letters on its hash is another one on a big-endian machine.
        assert_eq!(hash(b""), 0);
        assert_eq!(hash(b"usb"), 0x0577_c5e5);
        assert_eq!(hash(b"ap"), 0xf026_bf09);
        assert_eq!(hash(b"block"), of_this_machine(0xf003_1db7, 0xf272_d586));
        assert_eq!(hash(b"mdev"), of_this_machine(0xbb52_11c7, 0x7f6b_f205));
        assert_eq!(hash(b"vfio_ap"), of_this_machine(0x7f1b_fa5b, 0x8d4c_f779));
    }

    fn uevent() -> Uevent {
        Uevent {
            action: "add".to_owned(),
            devpath: "/d".to_owned(),
            env: [("SUBSYSTEM", "ap"), ("DEVTYPE", "block")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .to_vec(),
        }
    }

    #[test]
    fn the_message_to_the_kernel_byte_for_byte() {
        let text = b"add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=ap\0DEVTYPE=block\0";
        assert_eq!(text.len(), 56);
        // Length 72, type 0x10, flags 5, no sequence, no port.
        let header = of_this_machine(
            [72, 0, 0, 0, 0x10, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 72, 0, 0x10, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0],
        );
        assert_eq!(kernel_message(&uevent()), [&header[..], text].concat());
    }

    #[test]
    fn udevs_message_byte_for_byte() {
        let text = b"ACTION=add\0DEVPATH=/d\0SUBSYSTEM=ap\0DEVTYPE=block\0SEQNUM=7\0USEC_INITIALIZED=9\0";
        let message = udev_message(&uevent(), 7, 9);
        assert_eq!(message[40..], text[..]);
        // The magic and the hashes are big-endian everywhere, the lengths are the machine's.
        assert_eq!(message[..12], *b"libudev\0\xfe\xed\xca\xfe");
        let length = text.len() as u8;
        let lengths = of_this_machine(
            [40, 0, 0, 0, 40, 0, 0, 0, length, 0, 0, 0],
            [0, 0, 0, 40, 0, 0, 0, 40, 0, 0, 0, length],
        );
        assert_eq!(message[12..24], lengths);
        assert_eq!(message[24..28], [0xf0, 0x26, 0xbf, 0x09]);
        assert_eq!(message[28..32], of_this_machine([0xf0, 0x03, 0x1d, 0xb7], [0xf2, 0x72, 0xd5, 0x86]));
        assert_eq!(message[32..40], [0; 8]);
    }
}
