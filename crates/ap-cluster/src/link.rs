//! A connection to another process, which notices that it is gone.
//!
//! Timely's threads panic when a connection breaks, and the workers would wait for ever. So a link that breaks gives the
//! sign, and then keeps still: whoever sees the sign ends the search.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use timely::communication::allocator::zero_copy::stream::Stream;

use crate::signs::Signs;

/// What timely sends last is a header of so many zeros.
const LAST: usize = 48;
/// After how long a silent machine is asked whether it is still there.
const IDLE: Duration = Duration::from_secs(30);

/// A connection to another process.
pub(crate) struct Link {
    stream: TcpStream,
    process: usize,
    signs: Signs,
    /// How many zeros were read last.
    zeros: usize,
}

impl Link {
    /// To that process.
    pub(crate) fn new(stream: TcpStream, process: usize, signs: Signs) -> Link {
        // Slower, or later to notice that the other machine is gone, but right without.
        let _slower = stream.set_nodelay(true);
        let _later = rustix::net::sockopt::set_socket_keepalive(&stream, true)
            .and_then(|()| rustix::net::sockopt::set_tcp_keepidle(&stream, IDLE));
        let _patient = stream.set_read_timeout(None);
        Link { stream, process, signs, zeros: 0 }
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Ok(read) if read > 0 => {
                let zeros = buffer[..read].iter().rev().take_while(|byte| **byte == 0).count();
                self.zeros = if zeros == read { (self.zeros + zeros).min(LAST) } else { zeros };
                Ok(read)
            }
            Ok(_) if self.zeros >= LAST || buffer.is_empty() => Ok(0),
            Ok(_) | Err(_) => {
                self.signs.lose(self.process);
                loop {
                    thread::park();
                }
            }
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream.write(bytes) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.signs.lose(self.process);
                Ok(bytes.len())
            }
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Link {
    fn try_clone(&self) -> io::Result<Link> {
        Ok(Link {
            stream: self.stream.try_clone()?,
            process: self.process,
            signs: self.signs.clone(),
            zeros: 0,
        })
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.stream.set_nonblocking(nonblocking)
    }

    /// The other end may be gone already.
    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let _gone = self.stream.shutdown(how);
        Ok(())
    }
}

/// One that breaks in another way than by its stream.
impl Drop for Link {
    fn drop(&mut self) {
        if thread::panicking() {
            self.signs.lose(self.process);
        }
    }
}
