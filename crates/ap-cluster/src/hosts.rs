//! The processes of one search: where they are, and how they find each other.
//!
//! Each listens at its own address, connects to those before it in the host file, and waits for those after it. Before
//! anything else both sides say who they are: only processes that do the same search go on. What travels then is bytes of
//! one kind of machine and one build, which this makes sure of; who may connect it does not ask.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::identity::Identity;
use crate::link::Link;
use crate::meeting::{HostsError, PATIENCE};
use crate::signs::Signs;

/// What a process says first.
const MAGIC: &[u8] = b"apmatrix.workers/1\n";
/// How long somebody who has connected may take to say who it is.
const GREETING: Duration = Duration::from_secs(10);
/// How long to wait before trying again.
const PAUSE: Duration = Duration::from_millis(100);
/// Whoever says more than that is none of ours.
const LONGEST: usize = 4096;

/// Where the processes of a search are, and which of them this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    addresses: Vec<String>,
    process: usize,
}

impl Hosts {
    /// Reads a host file, an address in each line: the first is that of process 0. Empty lines and what follows a `#` do
    /// not count.
    ///
    /// # Errors
    /// If it can't be read, a line is no address, or it has no line for this process.
    pub fn read(file: &Path, process: usize) -> Result<Hosts, HostsError> {
        let text =
            fs::read_to_string(file).map_err(|why| HostsError::Unreadable { file: file.to_owned(), why })?;
        let mut addresses = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let address = text.split('#').next().unwrap_or_default().trim();
            let port = address.rsplit_once(':').and_then(|(host, port)| {
                port.parse::<u16>().ok().filter(|_| !host.is_empty() && !host.contains(char::is_whitespace))
            });
            match port {
                _ if address.is_empty() => {}
                Some(_) => addresses.push(address.to_owned()),
                None => {
                    let (file, text) = (file.to_owned(), address.to_owned());
                    return Err(HostsError::NoAddress { file, line, text });
                }
            }
        }
        let count = addresses.len();
        if process >= count {
            return Err(HostsError::NoSuchProcess { file: file.to_owned(), count, process });
        }
        Ok(Hosts { addresses, process })
    }

    /// Which process this is.
    #[must_use]
    pub fn process(&self) -> usize {
        self.process
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.addresses.len()
    }

    /// Links to all other processes, by their numbers. `waiting` is told for whom it waits.
    pub(crate) fn connect(
        &self,
        identity: &Identity,
        signs: &Signs,
        waiting: &mut dyn FnMut(&str),
    ) -> Result<Vec<Option<Link>>, HostsError> {
        let (me, until) = (self.process, Instant::now() + PATIENCE);
        let listener = self.listen()?;
        let mut links: Vec<Option<Link>> = (0..self.count()).map(|_| None).collect();
        for (process, address) in self.addresses.iter().enumerate().take(me) {
            waiting(address);
            let stream = loop {
                match TcpStream::connect(address) {
                    Ok(stream) if greets(&stream, me, identity, process, until)? => break stream,
                    Ok(_) | Err(_) if Instant::now() >= until => return Err(self.absent(process)),
                    Ok(_) | Err(_) => std::thread::sleep(PAUSE),
                }
            };
            links[process] = Some(Link::new(stream, process, signs.clone()));
        }
        while let Some(absent) = (me + 1..self.count()).find(|process| links[*process].is_none()) {
            waiting(&self.addresses[absent]);
            let Ok((stream, _)) = listener.accept() else {
                if Instant::now() >= until {
                    return Err(self.absent(absent));
                }
                std::thread::sleep(PAUSE);
                continue;
            };
            let Some(process) = greeted(&stream, me, identity)? else { continue };
            match links.get_mut(process) {
                Some(link @ None) if process > me => {
                    *link = Some(Link::new(stream, process, signs.clone()));
                }
                _ => return Err(HostsError::Twice { process }),
            }
        }
        Ok(links)
    }

    fn listen(&self) -> Result<TcpListener, HostsError> {
        let address = &self.addresses[self.process];
        let listen = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        listen().map_err(|why| HostsError::Listen { process: self.process, address: address.clone(), why })
    }

    fn absent(&self, process: usize) -> HostsError {
        HostsError::Absent { process, address: self.addresses[process].clone() }
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} of {}", self.process, self.count())
    }
}

/// Greets a process that this one has connected to; whether it is there.
fn greets(
    mut stream: &TcpStream,
    me: usize,
    identity: &Identity,
    process: usize,
    until: Instant,
) -> Result<bool, HostsError> {
    // It may be waiting for others first.
    let patience = until.saturating_duration_since(Instant::now()).max(PAUSE);
    let heard = stream.set_read_timeout(Some(patience)).and_then(|()| {
        say(&mut stream, me, identity)?;
        hear(&mut stream)
    });
    match heard {
        Ok((who, theirs)) if who == process => same(identity, &theirs, process).map(|()| true),
        Ok((who, _)) => Err(HostsError::Twice { process: who }),
        Err(_) => Ok(false),
    }
}

/// Greets whoever has connected to this process; its number, if it is one of ours.
fn greeted(mut stream: &TcpStream, me: usize, identity: &Identity) -> Result<Option<usize>, HostsError> {
    let heard = stream.set_nonblocking(false).and_then(|()| {
        stream.set_read_timeout(Some(GREETING))?;
        let heard = hear(&mut stream)?;
        say(&mut stream, me, identity)?;
        Ok(heard)
    });
    match heard {
        Ok((process, theirs)) => same(identity, &theirs, process).map(|()| Some(process)),
        Err(_) => Ok(None),
    }
}

fn same(ours: &Identity, theirs: &Identity, process: usize) -> Result<(), HostsError> {
    match ours.difference(theirs) {
        None => Ok(()),
        Some((fact, ours, theirs)) => Err(HostsError::Differs { process, fact, theirs, ours }),
    }
}

fn say(stream: &mut impl Write, me: usize, identity: &Identity) -> io::Result<()> {
    let text = format!("{me}\n{identity}");
    stream.write_all(MAGIC)?;
    stream.write_all(&(text.len() as u32).to_be_bytes())?;
    stream.write_all(text.as_bytes())
}

fn hear(stream: &mut impl Read) -> io::Result<(usize, Identity)> {
    let strange = || io::Error::from(io::ErrorKind::InvalidData);
    let (mut magic, mut length) = ([0; MAGIC.len()], [0; 4]);
    stream.read_exact(&mut magic)?;
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if magic != MAGIC || length > LONGEST {
        return Err(strange());
    }
    let mut text = vec![0; length];
    stream.read_exact(&mut text)?;
    let text = String::from_utf8(text).map_err(|_| strange())?;
    let (process, identity) = text.split_once('\n').ok_or_else(strange)?;
    let process = process.parse().map_err(|_| strange())?;
    Ok((process, Identity::parse(identity).ok_or_else(strange)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody's host file has other processes before this one: by it two are the same one.
    #[test]
    fn whoever_says_that_it_is_this_process_is_refused() {
        let [zero, one, two] = [0; 3].map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let addresses = [&zero, &one, &two].map(|at| at.local_addr().expect("an address").to_string());
        drop(one);
        let alphabet = ap_proof::sequences::alphabet("core").expect("it is there");
        let identity = Identity::of(&alphabet).expect("the program can be read");
        let hosts = Hosts { addresses: addresses.to_vec(), process: 1 };
        let error = std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = zero.accept().expect("process 1 connects");
                hear(&mut stream).expect("it greets");
                say(&mut stream, 0, &identity).expect("it listens");
                // The others come, the wrong one first; who is refused hears nothing.
                for process in [1, 2] {
                    while let Ok(mut stream) = TcpStream::connect(&addresses[1]) {
                        if say(&mut stream, process, &identity).and_then(|()| hear(&mut stream)).is_ok() {
                            break;
                        }
                    }
                }
            });
            hosts.connect(&identity, &Signs::new(), &mut |_| {}).err().map(|error| error.to_string())
        });
        assert_eq!(error.as_deref(), Some("two processes say that they are process 1"));
    }
}
