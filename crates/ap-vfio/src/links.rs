//! Which queue is linked to which mdev, and when it was linked.
//!
//! A row per domain, in it an entry per adapter: assigning a domain over all adapters, which is what administrators
//! of large machines do, touches one row.

use ap_task::MdevId;
use ap_types::Apqn;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Link {
    mdev: Option<MdevId>,
    stamp: u64,
}

/// The links of all queues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    rows: Vec<Vec<Link>>,
    drawn: u64,
}

impl Links {
    fn at(&self, apqn: Apqn) -> Link {
        let row = self.rows.get(usize::from(apqn.domain.0));
        row.and_then(|row| row.get(usize::from(apqn.adapter.0))).copied().unwrap_or_default()
    }

    fn slot(&mut self, apqn: Apqn) -> &mut Link {
        let (row, column) = (usize::from(apqn.domain.0), usize::from(apqn.adapter.0));
        if self.rows.len() <= row {
            self.rows.resize_with(row + 1, Vec::new);
        }
        let row = &mut self.rows[row];
        if row.len() <= column {
            row.resize(column + 1, Link::default());
        }
        &mut row[column]
    }

    /// The mdev that a queue is linked to.
    #[must_use]
    pub fn mdev(&self, apqn: Apqn) -> Option<MdevId> {
        self.at(apqn).mdev
    }

    /// When it was linked: greater is later.
    #[must_use]
    pub fn stamp(&self, apqn: Apqn) -> u64 {
        self.at(apqn).stamp
    }

    /// Links a queue.
    pub fn link(&mut self, apqn: Apqn, mdev: MdevId) {
        self.drawn += 1;
        let stamp = self.drawn;
        *self.slot(apqn) = Link { mdev: Some(mdev), stamp };
    }

    /// Unlinks a queue.
    pub fn unlink(&mut self, apqn: Apqn) {
        if self.at(apqn).mdev.is_some() {
            self.slot(apqn).mdev = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use ap_types::{AdapterId, DomainId};

    use super::*;

    #[test]
    fn a_link_is_to_one_mdev_and_later_links_have_greater_stamps() {
        let queue = |adapter, domain| Apqn::new(AdapterId(adapter), DomainId(domain));
        let mut links = Links::default();
        assert_eq!(links.mdev(queue(4, 6)), None);
        links.link(queue(4, 6), MdevId(0));
        links.link(queue(255, 255), MdevId(7));
        assert_eq!(links.mdev(queue(4, 6)), Some(MdevId(0)));
        assert_eq!(links.mdev(queue(255, 255)), Some(MdevId(7)));
        assert!(links.stamp(queue(255, 255)) > links.stamp(queue(4, 6)));
        links.unlink(queue(4, 6));
        links.unlink(queue(9, 9));
        assert_eq!(links.mdev(queue(4, 6)), None);
        assert_eq!(links.mdev(queue(255, 255)), Some(MdevId(7)));
    }
}
