//! A queue as a cell: whose it is, its letter, its marks.

use ap_types::{AdapterId, Apqn, DomainId};

use crate::host::Host;

/// Whose a queue is, as far as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Whose {
    /// There is no such queue, and nobody wants it.
    Absent,
    /// The host's own drivers'.
    Host,
    /// vfio_ap has it, and it is not assigned.
    Free,
    /// Assigned to the mediated device of that number.
    Mdev(usize),
    /// The running guest's that has the mediated device of that number.
    Guest(usize),
    /// No driver has it.
    Unbound,
    /// Assigned to the mediated device of that number, and there is no such queue.
    Wanted(usize),
}

/// What is unusual about a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// The hardware has stopped it.
    Checkstopped,
    /// The machine has it deconfigured.
    Deconfigured,
    /// It is assigned, and its mediated device's guest does not get it.
    Filtered,
    /// A reset runs.
    Resetting,
    /// The host may not use it.
    Offline,
}

/// A queue as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// Whose it is.
    pub whose: Whose,
    /// What is unusual about it; what is most severe, if several are.
    pub mark: Option<Mark>,
}

impl Whose {
    /// One of each, in the order of legends.
    pub const ALL: [Whose; 7] = [
        Whose::Host,
        Whose::Free,
        Whose::Mdev(0),
        Whose::Guest(0),
        Whose::Unbound,
        Whose::Wanted(0),
        Whose::Absent,
    ];

    /// The letter by which cells tell it.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Whose::Absent => '.',
            Whose::Host => 'H',
            Whose::Free => 'F',
            Whose::Mdev(_) => 'M',
            Whose::Guest(_) => 'G',
            Whose::Unbound => 'U',
            Whose::Wanted(_) => 'W',
        }
    }

    /// In a few words, for legends.
    #[must_use]
    pub fn legend(self) -> &'static str {
        match self {
            Whose::Absent => "no such queue",
            Whose::Host => "the host has it",
            Whose::Free => "free: vfio_ap has it, and no mdev",
            Whose::Mdev(_) => "an mdev has it, and no guest runs",
            Whose::Guest(_) => "a running guest has it",
            Whose::Unbound => "no driver has it",
            Whose::Wanted(_) => "an mdev wants it, and it is not there",
        }
    }

    /// In one word: the name of its colour.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Whose::Absent => "absent",
            Whose::Host => "host",
            Whose::Free => "free",
            Whose::Mdev(_) => "mdev",
            Whose::Guest(_) => "guest",
            Whose::Unbound => "unbound",
            Whose::Wanted(_) => "wanted",
        }
    }

    /// The number of the mediated device that it has to do with.
    #[must_use]
    pub fn mdev(self) -> Option<usize> {
        match self {
            Whose::Mdev(number) | Whose::Guest(number) | Whose::Wanted(number) => Some(number),
            Whose::Absent | Whose::Host | Whose::Free | Whose::Unbound => None,
        }
    }
}

impl Mark {
    /// All, the most severe first.
    pub const ALL: [Mark; 5] =
        [Mark::Checkstopped, Mark::Deconfigured, Mark::Filtered, Mark::Resetting, Mark::Offline];

    /// The letter by which cells tell it.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Mark::Checkstopped => 'x',
            Mark::Deconfigured => 'd',
            Mark::Filtered => '~',
            Mark::Resetting => 'r',
            Mark::Offline => 'o',
        }
    }

    /// In a few words, for legends.
    #[must_use]
    pub fn legend(self) -> &'static str {
        match self {
            Mark::Checkstopped => "checkstopped",
            Mark::Deconfigured => "deconfigured",
            Mark::Filtered => "filtered out: its guest does not get it",
            Mark::Resetting => "reset runs",
            Mark::Offline => "offline",
        }
    }
}

impl Cell {
    /// What a cell is if there is nothing.
    pub const ABSENT: Cell = Cell { whose: Whose::Absent, mark: None };
}

impl Host {
    /// The cell of a queue.
    #[must_use]
    pub fn cell(&self, apqn: Apqn) -> Cell {
        let mut cells = [Cell::ABSENT];
        self.fill(apqn.adapter, &[apqn.domain], &mut cells);
        cells[0]
    }

    /// The cells of an adapter in these domains.
    #[must_use]
    pub fn row(&self, adapter: AdapterId, domains: &[DomainId]) -> Vec<Cell> {
        let mut cells = vec![Cell::ABSENT; domains.len()];
        self.fill(adapter, domains, &mut cells);
        cells
    }

    fn fill(&self, adapter: AdapterId, domains: &[DomainId], cells: &mut [Cell]) {
        let state = &self.state;
        let (host, vfio) = (state.queues.host.row(adapter), state.queues.vfio.row(adapter));
        let none = state.queues.none.row(adapter);
        let marks = [
            (Mark::Checkstopped, self.marks.checkstopped.row(adapter)),
            (Mark::Deconfigured, self.marks.deconfigured.row(adapter)),
            (Mark::Resetting, self.marks.resetting.row(adapter)),
            (Mark::Offline, self.marks.offline.row(adapter)),
        ];
        let usual = marks.iter().all(|(_, row)| row.is_empty());
        let wanting: Vec<_> = state
            .mdevs
            .values()
            .enumerate()
            .filter(|(_, mdev)| mdev.matrix.adapters.contains(adapter))
            .map(|(place, mdev)| (place + 1, mdev))
            .collect();
        for (cell, domain) in cells.iter_mut().zip(domains) {
            let domain = *domain;
            let mdev = wanting.iter().find(|(_, mdev)| mdev.matrix.domains.contains(domain));
            let reaches = mdev.is_some_and(|(_, mdev)| mdev.shadow.contains(Apqn::new(adapter, domain)));
            let whose = match mdev {
                _ if host.contains(domain) => Whose::Host,
                Some((number, mdev)) if vfio.contains(domain) => match mdev.holder {
                    Some(_) if reaches => Whose::Guest(*number),
                    _ => Whose::Mdev(*number),
                },
                None if vfio.contains(domain) => Whose::Free,
                _ if none.contains(domain) => Whose::Unbound,
                Some((number, _)) => Whose::Wanted(*number),
                None => Whose::Absent,
            };
            let assigned = matches!(whose, Whose::Mdev(_)) && !reaches;
            let found = if usual { None } else { marks.iter().find(|(_, row)| row.contains(domain)) };
            let mark = match found.map(|(mark, _)| *mark) {
                Some(mark) if mark < Mark::Filtered || !assigned => Some(mark),
                _ => assigned.then_some(Mark::Filtered),
            };
            *cell = Cell { whose, mark };
        }
    }
}
