//! Who has which queue, step by step: what a trace's notes make of the beginning.
//!
//! It follows what tasks tell, and looks at no host. This module knows nothing of how it is shown.

use std::collections::BTreeMap;

use ap_host::Snapshot;
use ap_types::Apqn;

use crate::scenario::told::Told;

/// Who has a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hands {
    /// The driver that it is bound to.
    pub driver: Option<String>,
    /// The guests that have it in their APCB: more than one is never right.
    pub guests: Vec<String>,
}

/// The queues that there are, and who has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// By APQN.
    pub queues: BTreeMap<Apqn, Hands>,
}

impl Picture {
    pub(super) fn of(state: &Snapshot) -> Picture {
        let mut picture = Picture::default();
        for (apqn, at) in state.bus.registry.queues.keys().zip(&state.bus.queues) {
            let driver = at.driver().map(|driver| driver.to_string());
            picture.queues.insert(*apqn, Hands { driver, guests: Vec::new() });
        }
        for guest in &state.vfio.guests {
            let queues: Vec<Apqn> = guest.kvm.apcb.queues().collect();
            picture.follow(&Told::Given(guest.guest.name.clone(), queues));
        }
        picture
    }

    /// What it is after this. (A guest keeps a queue in its APCB that is gone.)
    pub fn follow(&mut self, told: &Told) {
        match told {
            Told::Came(apqn) => {
                self.queues.entry(*apqn).or_default();
            }
            Told::Went(apqn) => {
                if let Some(hands) = self.queues.get_mut(apqn) {
                    hands.driver = None;
                }
                self.queues.retain(|at, hands| at != apqn || !hands.guests.is_empty());
            }
            Told::Bound(apqn, driver) => {
                self.queues.entry(*apqn).or_default().driver = Some(driver.clone());
            }
            Told::Unbound(apqn) => self.queues.entry(*apqn).or_default().driver = None,
            Told::Given(guest, queues) => {
                for hands in self.queues.values_mut() {
                    hands.guests.retain(|name| name != guest);
                }
                for apqn in queues {
                    self.queues.entry(*apqn).or_default().guests.push(guest.clone());
                }
            }
            Told::Line(_) | Told::Answered(_) | Told::Said(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_goes_from_hand_to_hand() {
        let queue: Apqn = "0a.0006".parse().expect("an APQN");
        let mut picture = Picture::default();
        let mut after = |told: Told| {
            picture.follow(&told);
            picture.queues.get(&queue).cloned()
        };
        let hands = |driver: Option<&str>, guests: &[&str]| {
            let guests = guests.iter().map(|name| (*name).to_owned()).collect();
            Some(Hands { driver: driver.map(str::to_owned), guests })
        };
        assert_eq!(after(Told::Came(queue)), hands(None, &[]));
        assert_eq!(after(Told::Bound(queue, "vfio_ap".into())), hands(Some("vfio_ap"), &[]));
        assert_eq!(after(Told::Given("g1".into(), vec![queue])), hands(Some("vfio_ap"), &["g1"]));
        assert_eq!(after(Told::Given("g2".into(), vec![queue])), hands(Some("vfio_ap"), &["g1", "g2"]));
        assert_eq!(after(Told::Given("g1".into(), vec![])), hands(Some("vfio_ap"), &["g2"]));
        // It is gone from the host, and still in a guest's APCB.
        assert_eq!(after(Told::Went(queue)), hands(None, &["g2"]));
        assert_eq!(after(Told::Given("g2".into(), vec![])), hands(None, &[]));
        assert_eq!(after(Told::Went(queue)), None);
    }
}
