//! What an attribute is: a name, a mode, what a read shows, what a write does.

use std::fmt;

use ap_task::{Flag, Kernel};

use crate::errno::Errno;
use crate::tree::{Doing, Tree};

/// At most so many bytes of an attribute are read, and taken of a write: a page. (Page 5, "Files".)
pub(crate) const PAGE: usize = 4096;

/// What a read shows of an object. It is given the object as it was when the file was looked up for this read.
pub(crate) type Show<O> = fn(&Tree, &O, Doing) -> Result<Vec<u8>, Errno>;

/// What a write does with an object, given the bytes of one write(2).
pub(crate) type Store<O> = fn(&Tree, &O, &[u8], Doing) -> Result<(), Errno>;

/// An attribute of objects of one type.
pub(crate) struct Attribute<O> {
    /// The file's name.
    pub name: &'static str,
    /// Its permission bits.
    mode: u16,
    /// Its permission bits with kernels that have a flag.
    mode_with: Option<(Flag, u16)>,
    /// Whether it is there.
    pub present: fn(&Tree, &O) -> bool,
    /// What a read shows; `None` if it can't be read.
    pub show: Option<Show<O>>,
    /// What a write does; `None` if it can't be written.
    pub store: Option<Store<O>>,
}

/// A read-only attribute (0444) that is always there.
pub(crate) const fn ro<O>(name: &'static str, show: Show<O>) -> Attribute<O> {
    Attribute { name, mode: 0o444, mode_with: None, present: always, show: Some(show), store: None }
}

/// A readable and writable attribute (0644) that is always there.
pub(crate) const fn rw<O>(name: &'static str, show: Show<O>, store: Store<O>) -> Attribute<O> {
    Attribute { name, mode: 0o644, mode_with: None, present: always, show: Some(show), store: Some(store) }
}

/// A write-only attribute (0200) that is always there.
pub(crate) const fn wo<O>(name: &'static str, store: Store<O>) -> Attribute<O> {
    Attribute { name, mode: 0o200, mode_with: None, present: always, show: None, store: Some(store) }
}

impl<O> Attribute<O> {
    /// The same, but there only while `present` says so: of the object, or of what the host was made with.
    pub(crate) const fn when(mut self, present: fn(&Tree, &O) -> bool) -> Attribute<O> {
        self.present = present;
        self
    }

    /// The same with other permission bits.
    pub(crate) const fn mode(mut self, mode: u16) -> Attribute<O> {
        self.mode = mode;
        self
    }

    /// The same with other permission bits where the kernel has that flag.
    pub(crate) const fn mode_with(mut self, flag: Flag, mode: u16) -> Attribute<O> {
        self.mode_with = Some((flag, mode));
        self
    }

    /// Its permission bits with that kernel.
    pub(crate) fn mode_on(&self, kernel: Kernel) -> u16 {
        match self.mode_with {
            Some((flag, mode)) if kernel.has(flag) => mode,
            _ => self.mode,
        }
    }
}

fn always<O>(_: &Tree, _: &O) -> bool {
    true
}

/// What most attributes show: a value, and a newline.
pub(crate) fn line(value: impl fmt::Display) -> Result<Vec<u8>, Errno> {
    Ok(format!("{value}\n").into_bytes())
}
