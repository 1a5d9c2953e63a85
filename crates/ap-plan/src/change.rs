//! The smallest change that lets a refused write through: all that is in the way, and the writes that take it out of
//! the way, in order.
//!
//! Knows the rules ([`State::after`]) and what each refusal wants ([`Refusal`]); not how it is said to people.

use ap_files::desired::Give;
use ap_types::{Apqn, Matrix, Uuid};

use crate::reading::{Reading, read};
use crate::reason::{Refusal, Unbindable, smaller_part};
use crate::remedy::GiveUp;
use crate::state::{Driver, Holder, Masks, Mdev, State};
use crate::write::{Delta, Store, Write};

/// How many parts of a change are told one by one.
const MOST_TOLD: usize = 8;
/// How deep a change may need another one first.
const DEEPEST: usize = 4;

/// The smallest change that lets a write through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// In words.
    pub text: String,
    /// As writes that people would do, in order: one id at a time. None if no writes let it through.
    pub stores: Vec<Store>,
}

impl Change {
    /// One that consists of no writes.
    pub(crate) fn words(text: impl Into<String>) -> Change {
        Change { text: text.into(), stores: Vec::new() }
    }
}

/// All that is in the way of a write, and what takes it out of the way.
pub(crate) struct Way {
    /// What refuses it, the first one first.
    pub(crate) refusals: Vec<Refusal>,
    /// What lets it through.
    pub(crate) change: Change,
}

/// What takes one thing out of the way.
struct Part {
    text: String,
    writes: Vec<Piece>,
}

/// A write, and the same as people write it.
struct Piece {
    write: Write,
    stores: Vec<Store>,
}

impl Piece {
    fn of(write: Write) -> Piece {
        Piece { write, stores: vec![write.store()] }
    }
}

impl Part {
    /// One that consists of no writes: somebody has to do something else.
    fn words(text: impl Into<String>) -> Part {
        Part { text: text.into(), writes: Vec::new() }
    }

    fn of(text: impl Into<String>, writes: impl IntoIterator<Item = Write>) -> Part {
        Part { text: text.into(), writes: writes.into_iter().map(Piece::of).collect() }
    }
}

/// All that is in the way of a write that is refused, and what lets it through.
pub(crate) fn way_through(state: &State, store: &Store, first: &Refusal) -> Way {
    let refuses = |now: &State| match read(now, store) {
        Reading::Asks(write) => now.after(&write).err().map(Hindrance::Refused),
        Reading::Wrong(wrong) => Some(Hindrance::Wrong(wrong.remedy)),
        Reading::Nothing | Reading::Takes(..) | Reading::Unknown => None,
    };
    let found = |by| {
        let mut search =
            Search { by, now: state.clone(), refusals: Vec::new(), met: Vec::new(), parts: Vec::new() };
        let words = search.clear(&refuses, 0).err();
        debug_assert_eq!(search.refusals.first(), Some(first));
        (search, words)
    };
    let (mut search, mut words) = found(By::WhatIsUsed);
    // No override can be written for a queue that is not there. Masks can name it, once there are no overrides.
    if words.is_some()
        && !state.overrides.is_empty()
        && let (by_masks, None) = found(By::Masks)
    {
        (search, words) = (by_masks, None);
    }
    Way { change: search.change(words), refusals: search.refusals }
}

/// By what the host gives queues up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// By overrides if there are any, else by masks.
    WhatIsUsed,
    /// By masks.
    Masks,
}

/// What is in the way of something.
enum Hindrance {
    /// A rule.
    Refused(Refusal),
    /// Its text, as the host is then; what to write instead.
    Wrong(String),
}

/// What is taken out of the way, one thing after the other, on a state that follows.
struct Search {
    by: By,
    now: State,
    /// What is in the way of the write itself.
    refusals: Vec<Refusal>,
    /// Those, and what is in the way of the change.
    met: Vec<Refusal>,
    parts: Vec<Part>,
}

impl Search {
    /// Takes away what is in the way of something until nothing is; or says what has to be done that is no write.
    fn clear(
        &mut self,
        in_the_way: &dyn Fn(&State) -> Option<Hindrance>,
        depth: usize,
    ) -> Result<(), String> {
        while let Some(hindrance) = in_the_way(&self.now) {
            let refusal = match hindrance {
                Hindrance::Refused(refusal) => refusal,
                Hindrance::Wrong(remedy) => return Err(remedy),
            };
            let part = part(&self.now, &refusal, self.by);
            // What is met again was not taken away by what was to do so.
            let again = depth == DEEPEST || self.met.contains(&refusal);
            if depth == 0 {
                self.refusals.push(refusal.clone());
            }
            self.met.push(refusal);
            if again {
                return Err("nothing that can be written lets it through as the host is".to_owned());
            }
            if part.writes.is_empty() {
                return Err(part.text);
            }
            for Piece { write, .. } in &part.writes {
                self.clear(&|now| carried_out(now, write).err().map(Hindrance::Refused), depth + 1)?;
                if let Ok(next) = carried_out(&self.now, write) {
                    self.now = next;
                }
            }
            self.parts.push(part);
        }
        Ok(())
    }

    /// The change. `words`: what has to be done that is no write; then writes alone do not help, and none are named.
    fn change(&self, words: Option<String>) -> Change {
        // What is taken from mdevs is taken first: that is never refused, and no mask and no override moves a queue
        // that an mdev still has.
        let (takes, others): (Vec<&Part>, Vec<&Part>) = self.parts.iter().partition(|part| part.takes());
        let parts = || takes.iter().chain(&others);
        let mut texts: Vec<String> = parts().take(MOST_TOLD).map(|part| part.text.clone()).collect();
        if let more @ 1.. = parts().count().saturating_sub(MOST_TOLD) {
            texts.push(format!("and {more} more"));
        }
        match words {
            Some(words) => Change::words(words),
            None => Change {
                text: texts.join("; then "),
                stores: parts()
                    .flat_map(|part| &part.writes)
                    .flat_map(|piece| piece.stores.iter().cloned())
                    .collect(),
            },
        }
    }
}

impl Part {
    /// Whether it only takes from an mdev.
    fn takes(&self) -> bool {
        self.writes.iter().all(|piece| matches!(piece.write, Write::Config(..)))
    }
}

/// The state after a write of a change. What only takes from an mdev is written one id at a time, and that is never
/// refused.
fn carried_out(state: &State, write: &Write) -> Result<State, Refusal> {
    match write {
        Write::Config(uuid, matrix) => taken(state, uuid, matrix).ok_or(Refusal::NoMdev(*uuid)),
        other => state.after(other),
    }
}

/// The state after so much was taken from an mdev that this is left; `None` if there is no such mdev.
pub(crate) fn taken(state: &State, mdev: &Uuid, left: &Matrix) -> Option<State> {
    let mut next = state.clone();
    let shadow = next.filtered(left);
    let mdev = next.mdevs.get_mut(mdev)?;
    (mdev.matrix, mdev.shadow) = (*left, shadow);
    Some(next)
}

/// A matrix without the dimension of some queues in which fewer ids have to go.
fn without(mdev: &Mdev, queues: &Matrix) -> Matrix {
    let mut matrix = mdev.matrix;
    if queues.adapters.count() <= queues.domains.count() {
        matrix.adapters -= queues.adapters;
    } else {
        matrix.domains -= queues.domains;
    }
    matrix
}

/// What takes queues from an mdev.
fn take(state: &State, mdev: Uuid, queues: &Matrix, holder: Option<&Holder>) -> Part {
    let part = smaller_part(queues);
    let running =
        holder.map_or_else(String::new, |holder| format!("; {holder} loses what is taken while it runs"));
    let text = format!("take {part} from mdev {mdev}{running}");
    let Some(found) = state.mdevs.get(&mdev) else { return Part::words(text) };
    let left = without(found, queues);
    let store = |file: &str, id: u8| Store {
        path: format!("devices/vfio_ap/matrix/{mdev}/unassign_{file}"),
        text: id.to_string(),
    };
    let adapters =
        (found.matrix.adapters - left.adapters).iter().map(|id| store("adapter", id.0)).collect::<Vec<_>>();
    let domains = (found.matrix.domains - left.domains).iter().map(|id| store("domain", id.0)).collect();
    let stores = [adapters, domains].concat();
    Part { text, writes: vec![Piece { write: Write::Config(mdev, left), stores }] }
}

/// What takes one refusal out of the way.
fn part(state: &State, refusal: &Refusal, by: By) -> Part {
    let words = || Part::words(refusal.remedy(state).to_string());
    match refusal {
        Refusal::InUse { queues, mdev, holder } => take(state, *mdev, queues, holder.as_ref()),
        Refusal::Shared { queues, other, holder, .. } => take(state, *other, queues, holder.as_ref()),
        Refusal::Reserved { queues, .. } if by == By::Masks || state.overrides.is_empty() => {
            let give_up = GiveUp::of(state, queues);
            Part::of(give_up.to_string(), vec![give_up.write()])
        }
        Refusal::Reserved { queues, .. } => {
            let mut writes = Vec::new();
            for queue in queues.queues().filter(|queue| state.exists(*queue)) {
                if state.overrides.of(queue) != Some(Driver::Vfio) {
                    writes.push(Write::Override(queue, Some(Driver::Vfio)));
                }
                if let Some(driver @ Driver::Host) = state.driver(queue) {
                    writes.push(Write::Unbind(queue, driver));
                }
                if state.driver(queue) != Some(Driver::Vfio) {
                    writes.push(Write::Bind(queue, Driver::Vfio));
                }
            }
            Part::of("give the queues to vfio_ap by driver_override", writes)
        }
        Refusal::NoMdev(uuid) => Part::of("create it", vec![Write::Create(*uuid)]),
        Refusal::NoVfioAp => Part::words("modprobe vfio_ap"),
        Refusal::Overridden(_) => {
            let sets = [&state.overrides.vfio, &state.overrides.host, &state.overrides.other];
            let all: Vec<Apqn> = sets.into_iter().flat_map(|set| set.iter().collect::<Vec<_>>()).collect();
            let writes: Vec<Write> = all.iter().map(|queue| Write::Override(*queue, None)).collect();
            let count = if all.len() == 1 {
                "the override".to_owned()
            } else {
                format!("all {} overrides", all.len())
            };
            Part::of(format!("clear {count}"), writes)
        }
        Refusal::Unprotected { queue, mdev, holder } => {
            let taken = take(state, *mdev, &Matrix::of_queue(*queue), holder.as_ref());
            Part { text: format!("give queue {queue} its override again, or {}", taken.text), ..taken }
        }
        Refusal::MasksInUse => {
            let all = Masks::ALL;
            let adapters = Delta::between(state.masks.adapters, all.adapters);
            let domains = Delta::between(state.masks.domains, all.domains);
            // No mdev may have a queue then: the masks would take it.
            let having = state.mdevs.iter().filter(|(_, mdev)| mdev.matrix.has_queues());
            let taken =
                having.map(|(uuid, mdev)| (uuid, take(state, *uuid, &mdev.matrix, mdev.holder.as_ref())));
            let masks = [
                (adapters != Delta::default()).then_some(Write::Apmask(adapters)),
                (domains != Delta::default()).then_some(Write::Aqmask(domains)),
            ];
            let mut all = Part::of(
                "set both masks to all ones: the host's drivers get all queues that have no override",
                [],
            );
            for (uuid, taken) in taken {
                all.text = format!("take the queues from mdev {uuid}, and {}", all.text);
                all.writes.extend(taken.writes);
            }
            all.writes.extend(masks.into_iter().flatten().map(Piece::of));
            all
        }
        Refusal::Binding { queue, driver, how } => match how {
            Unbindable::Bound => match state.driver(*queue) {
                Some(now) if now != *driver => Part::of("unbind it first", vec![Write::Unbind(*queue, now)]),
                _ => words(),
            },
            Unbindable::Absent | Unbindable::NotBound => words(),
            Unbindable::NotTheirs if state.kernel.driver_override && state.way() != Some(Give::Masks) => {
                let text = format!("let its override name {}", driver.name());
                Part::of(text, vec![Write::Override(*queue, Some(*driver))])
            }
            Unbindable::NotTheirs => words(),
        },
        Refusal::Held { holder, mdev } => Part::words(match &holder.guest {
            Some(guest) if holder.process.is_none() => {
                format!("stop the guest: apmatrix guest stop {guest}; until then the write waits")
            }
            _ => format!("stop {holder}, which has mdev {mdev} open; until then the write waits"),
        }),
        Refusal::TooHigh { .. } | Refusal::Exists(_) | Refusal::NoInstances | Refusal::NoQueue(_) => words(),
    }
}
