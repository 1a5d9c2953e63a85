//! A desk in memory: for rehearsals and tests, and for whoever wants to see what an apply would keep.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use ap_sysfs::Errno;

use crate::tree::{Desk, Fault};

/// What is on a desk; several processes share one.
#[derive(Debug, Default)]
pub struct Paper {
    /// The lock's file.
    pub lock: Option<String>,
    /// The journal.
    pub journal: String,
    /// The processes that live.
    pub alive: BTreeSet<u32>,
    /// Seconds since 1970.
    pub now: u64,
    /// What the next calls that write answer.
    pub full: Option<Errno>,
}

/// A process at a desk.
#[derive(Clone, Debug)]
pub struct MemoryDesk {
    paper: Rc<RefCell<Paper>>,
    pid: u32,
}

impl MemoryDesk {
    /// A process of that number at an empty desk.
    #[must_use]
    pub fn new(pid: u32) -> MemoryDesk {
        let paper = Paper { alive: BTreeSet::from([pid]), now: 1_000_000, ..Paper::default() };
        MemoryDesk { paper: Rc::new(RefCell::new(paper)), pid }
    }

    /// Another process at the same desk.
    #[must_use]
    pub fn other(&self, pid: u32) -> MemoryDesk {
        self.paper.borrow_mut().alive.insert(pid);
        MemoryDesk { paper: self.paper.clone(), pid }
    }

    /// This process ends, whatever it was doing.
    pub fn dies(&self) {
        self.paper.borrow_mut().alive.remove(&self.pid);
    }

    /// What is on the desk.
    #[must_use]
    pub fn paper(&self) -> std::cell::RefMut<'_, Paper> {
        self.paper.borrow_mut()
    }

    fn writable(&self, path: &str) -> Result<std::cell::RefMut<'_, Paper>, Fault> {
        let paper = self.paper.borrow_mut();
        match paper.full {
            Some(errno) => Err(Fault::of(path, errno)),
            None => Ok(paper),
        }
    }
}

impl Desk for MemoryDesk {
    fn take_lock(&mut self) -> Result<(), Fault> {
        let pid = self.pid;
        let mut paper = self.paper.borrow_mut();
        match paper.lock {
            Some(_) => Err(Fault::of("lock", Errno::EEXIST)),
            None => {
                paper.lock = Some(pid.to_string());
                Ok(())
            }
        }
    }

    fn lock_text(&mut self) -> Result<String, Fault> {
        self.paper.borrow().lock.clone().ok_or_else(|| Fault::of("lock", Errno::ENOENT))
    }

    fn drop_lock(&mut self) -> Result<(), Fault> {
        self.paper.borrow_mut().lock.take().map(|_| ()).ok_or_else(|| Fault::of("lock", Errno::ENOENT))
    }

    fn lives(&mut self, pid: u32) -> bool {
        self.paper.borrow().alive.contains(&pid)
    }

    fn pid(&self) -> u32 {
        self.pid
    }

    fn journal(&mut self) -> Result<String, Fault> {
        Ok(self.paper.borrow().journal.clone())
    }

    fn append(&mut self, line: &str) -> Result<(), Fault> {
        let mut paper = self.writable("journal")?;
        paper.journal += line;
        paper.journal += "\n";
        Ok(())
    }

    fn begin(&mut self, line: &str) -> Result<(), Fault> {
        let mut paper = self.writable("journal")?;
        paper.journal = format!("{line}\n");
        Ok(())
    }

    fn now(&mut self) -> u64 {
        self.paper.borrow().now
    }

    fn sleep(&mut self, milliseconds: u64) {
        let mut paper = self.paper.borrow_mut();
        paper.now += milliseconds.div_ceil(1000);
    }
}
