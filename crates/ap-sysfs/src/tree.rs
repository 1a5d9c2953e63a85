//! The tree of a host: what everything that is shown is made from.
//!
//! The tree is computed, not stored: what a directory holds is asked of the host each time. Here stands only what it
//! is computed from; how, says the table of directories, and the crate's page.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use ap_host::Host;
use ap_machine::Machine;
use ap_task::Task;
use ap_types::grammar::{ap_config, uuid};
use ap_types::{Matrix, Uuid};
use locks::{Held, Nothing};

use crate::errno::Errno;
use crate::node::{Key, MOST_HOLDERS};
use crate::ring::Ring;

/// Who looks at the tree, holding no lock yet.
pub(crate) type Root<'a, 'b> = &'a mut Held<'b, Nothing>;

/// Who does something to the tree, holding no lock yet.
pub(crate) type Doing<'a, 'b> = &'a mut Task<'b, Nothing>;

/// The tree of one host.
pub struct Tree {
    /// The host.
    pub host: Arc<Host>,
    /// The machine that it runs on, for the control files.
    pub machine: Arc<Machine>,
    /// What the control files show beside the host.
    pub controls: Controls,
    /// The drivers of the AP bus that were met so far.
    pub(crate) drivers: Names,
    /// The modules that were met so far.
    pub(crate) modules: Names,
}

impl Tree {
    /// The tree of a host on a simulated machine.
    #[must_use]
    pub fn new(host: Arc<Host>, machine: Arc<Machine>) -> Self {
        let controls = Controls::default();
        Tree { host, machine, controls, drivers: Names::default(), modules: Names::default() }
    }
}

/// The text of the file `state`.
pub type StateText = Box<dyn Fn(&Tree, Root) -> String>;

/// What the control files show beside the host.
#[derive(Default)]
pub struct Controls {
    /// Where events are kept.
    pub ring: RefCell<Option<Rc<Ring>>>,
    /// What `state` says: whoever knows how to write it down registers it here.
    pub state: RefCell<Option<StateText>>,
    /// What the last text written to `hw` or `guests` answered.
    pub answer: RefCell<String>,
    /// Why the last line written to `hw` or `guests` failed.
    pub last_error: RefCell<String>,
    /// The last write to another file that was refused.
    pub refusal: RefCell<Option<Refused>>,
    /// Milliseconds of machine time that the operation under way was told to let pass: whoever waits for it waits so
    /// much longer.
    pub lets_pass: Cell<u64>,
}

/// A write that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The file, below `/sys`.
    pub path: String,
    /// What was written, as text.
    pub text: String,
    /// What write(2) answered.
    pub errno: Errno,
    /// When, in milliseconds of machine time.
    pub at_ms: u64,
    /// How many writes have gone through since.
    pub since: u64,
    /// What was assigned to the mdev of the file, if it is one of an mdev: who was refused often removes it.
    pub matrix: Option<Matrix>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refused { path, text, errno, at_ms, since, matrix } = self;
        let (errno, text) = (errno.name(), text.escape_default());
        writeln!(f, "errno {errno}\npath {path}\nat_ms {at_ms}\nsince {since}\ntext {text}")?;
        let Some(Matrix { adapters, domains, control_domains }) = matrix else { return Ok(()) };
        writeln!(f, "matrix {adapters},{domains},{control_domains}")
    }
}

impl Refused {
    /// The mdev in whose directory the file is.
    #[must_use]
    pub fn mdev(&self) -> Option<Uuid> {
        let (name, _) = self.path.strip_prefix("devices/vfio_ap/matrix/")?.split_once('/')?;
        uuid(name.as_bytes()).ok()
    }

    /// The write that a text describes, as the control file `refusal` shows it; `None` if it describes none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Refused> {
        let value = |key: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
        };
        Some(Refused {
            path: value("path")?.to_owned(),
            text: unescaped(value("text")?),
            errno: Errno::from_name(value("errno")?)?,
            at_ms: value("at_ms")?.parse().ok()?,
            since: value("since")?.parse().ok()?,
            matrix: value("matrix").and_then(|text| ap_config(text.as_bytes()).ok()),
        })
    }
}

/// Undoes [`str::escape_default`].
fn unescaped(text: &str) -> String {
    let (mut plain, mut letters) = (String::new(), text.chars());
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('t') => plain.push('\t'),
            Some('u') => {
                let digits: String = letters.by_ref().skip(1).take_while(|letter| *letter != '}').collect();
                plain.extend(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
            }
            other => plain.extend(other),
        }
    }
    plain
}

/// Keys of objects that have nothing but a name: a driver, a module.
///
/// The first name that is met gets the first key, and keeps it as long as the tree lives: whoever is registered again
/// under a name has the directory of that name again. Names are never forgotten; they are texts of the program, so
/// there are few. The one that comes after [`MOST_HOLDERS`] others gets no key, and is not shown.
#[derive(Default)]
pub(crate) struct Names(RefCell<Vec<&'static str>>);

impl Names {
    /// The key of a name.
    pub(crate) fn key(&self, name: &'static str) -> Option<Key> {
        let mut names = self.0.borrow_mut();
        let known = names.iter().position(|known| *known == name);
        let number = known.or_else(|| {
            names.push(name);
            Some(names.len() - 1)
        });
        number.filter(|number| *number < MOST_HOLDERS).map(|number| Key(number as u64))
    }

    /// The name of a key.
    pub(crate) fn name(&self, key: Key) -> Option<&'static str> {
        self.0.borrow().get(usize::try_from(key.0).ok()?).copied()
    }

    /// All keys so far.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> + use<> {
        (0..self.0.borrow().len().min(MOST_HOLDERS)).map(|number| Key(number as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_as_it_was_written() {
        for text in ["+4\n", "", "a\\nb 'x' \u{7f}\u{e9}\t\r\n"] {
            let (path, text) = ("bus/ap/apmask".to_owned(), text.to_owned());
            let refused = Refused { path, text, errno: Errno::EBUSY, at_ms: 7, since: 2, matrix: None };
            assert_eq!(refused.mdev(), None);
            assert_eq!(Refused::parse(&refused.to_string()), Some(refused.clone()));
            let name = "a0000000-0000-4000-8000-000000000001";
            let matrix = ap_config(b"0x08,0x02,0x01").ok();
            assert!(matrix.is_some());
            let path = format!("devices/vfio_ap/matrix/{name}/assign_domain");
            let refused = Refused { path, matrix, ..refused };
            assert_eq!(refused.mdev().map(|mdev| mdev.to_string()).as_deref(), Some(name));
            assert_eq!(Refused::parse(&refused.to_string()), Some(refused));
        }
        assert_eq!(Refused::parse(""), None);
    }

    #[test]
    fn a_name_keeps_its_key_and_no_other_gets_it() {
        let names = Names::default();
        let texts: Vec<&'static str> =
            (0..=MOST_HOLDERS).map(|n| &*Box::leak(format!("driver{n}").into_boxed_str())).collect();
        let keys: Vec<Option<Key>> = texts.iter().map(|text| names.key(text)).collect();
        for (number, key) in keys.iter().enumerate().take(MOST_HOLDERS) {
            assert_eq!(*key, Some(Key(number as u64)));
            assert_eq!(names.key(texts[number]), *key);
            assert_eq!(names.name(Key(number as u64)), Some(texts[number]));
        }
        assert_eq!((keys[MOST_HOLDERS], names.keys().count()), (None, MOST_HOLDERS));
    }
}
