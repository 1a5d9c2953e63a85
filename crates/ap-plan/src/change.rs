//! The smallest change that lets a refused write through: all that is in the way, and the writes that take it out of
//! the way, in order.
//!
//! Knows the rules ([`State::after`]) and what each refusal wants ([`Refusal`]); not how it is said to people.

use ap_files::desired::Give;
use ap_types::{AdapterMask, Apqn, DomainMask, Matrix, Uuid};

use crate::cost::{Cost, Rather, least_part, least_taken};
use crate::reading::{Reading, read};
use crate::reason::{Refusal, Unbindable};
use crate::remedy::GiveUp;
use crate::state::{Driver, Holder, Masks, State};
use crate::write::{Delta, Store, Write};

/// How many parts of a change are told one by one.
const MOST_TOLD: usize = 8;
/// How deep a change may need another one first.
const DEEPEST: usize = 4;
/// For how many queues at the most overrides are considered where masks would do: each takes up to three writes.
const MOST_OVERRIDES: usize = 16;

/// The smallest change that lets a write through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// In words.
    pub text: String,
    /// As writes that people would do, in order: one id at a time. None if no writes let it through.
    pub stores: Vec<Store>,
}

impl Change {
    /// In a line: the write, if it is one to a mask, and what it costs; else in words.
    #[must_use]
    pub fn in_a_line(&self) -> String {
        match self.stores.as_slice() {
            [store] if store.path.starts_with("bus/ap/") => {
                format!("echo {} > /sys/{} ({})", store.text, store.path, self.text)
            }
            _ => self.text.clone(),
        }
    }

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
    /// What does so by the other mask, where queues are reserved; or by ids of the other kind, where these cost the same:
    /// who goes on from there may like it better.
    pub(crate) or: Option<Change>,
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

/// All that is in the way of a write that is refused, and what lets it through at the least cost.
pub(crate) fn way_through(state: &State, store: &Store, first: &Refusal) -> Way {
    let refuses = |now: &State| match read(now, store) {
        Reading::Asks(write) => now.after(&write).err().map(|refusal| Hindrance::Refused(write, refusal)),
        Reading::Wrong(wrong) => Some(Hindrance::Wrong(wrong.remedy)),
        Reading::Nothing | Reading::Takes(..) | Reading::Unknown => None,
    };
    let found = |how: How| {
        let mut search =
            Search { how, now: state.clone(), refusals: Vec::new(), met: Vec::new(), parts: Vec::new() };
        let words = search.clear(&refuses, 0).err();
        debug_assert_eq!(search.refusals.first(), Some(first));
        (search, words)
    };
    let cost = |search: &Search| {
        let pieces = search.parts.iter().flat_map(|part| &part.writes);
        let write = if let Reading::Asks(write) = read(&search.now, store) { Some(write) } else { None };
        let writes = pieces.map(|piece| piece.stores.len()).sum();
        Cost::of_change(state, &search.now, write.as_deref(), writes).of_what_is_there()
    };
    let overridden = !state.overrides.is_empty();
    let [rather, rather_not] = rather(store);
    let first_choice = How { give: if overridden { By::Overrides } else { By::Apmask }, rather };
    let (search, words) = found(first_choice);
    let reserved = search.refusals.iter().any(|refusal| matches!(refusal, Refusal::Reserved { .. }));
    let mut gives = vec![first_choice.give];
    if reserved && !overridden {
        gives.push(By::Aqmask);
        if may_override(state, &search.refusals) {
            gives.push(By::Overrides);
        }
    }
    // No override can be written for a queue that is not there. Masks can name it, once there are no overrides.
    if reserved && overridden && words.is_some() {
        gives.extend([By::Apmask, By::Aqmask]);
    }
    let refusals = search.refusals.clone();
    let mut ways = vec![(search, words)];
    ways.extend(gives[1..].iter().map(|&give| found(How { give, rather })));
    // Where nothing is taken from an mdev there is nothing to be taken rather.
    let taking = ways.iter().filter(|(search, _)| search.parts.iter().any(Part::takes));
    let taking: Vec<How> = taking.map(|(search, _)| How { rather: rather_not, ..search.how }).collect();
    ways.extend(taking.into_iter().map(found));
    // Those that writes bring about first, by cost; of equals the first.
    let mut ways: Vec<_> = ways
        .into_iter()
        .map(|(search, words)| ((words.is_some(), words.is_none().then(|| cost(&search))), search, words))
        .collect();
    ways.sort_by_key(|(cost, ..)| *cost);
    let (cost, search, words) = ways.remove(0);
    let change = search.change(words);
    let masks = [By::Apmask, By::Aqmask];
    let by_other_mask = |other: &How| {
        other.give != search.how.give && masks.contains(&other.give) && masks.contains(&search.how.give)
    };
    let others: Vec<_> = ways.into_iter().filter(|(_, _, words)| words.is_none()).collect();
    let other_mask = others.iter().find(|(_, other, _)| by_other_mask(&other.how));
    let as_cheap = || {
        others.iter().find(|(costs, other, _)| *costs == cost && other.change(None).stores != change.stores)
    };
    let or = other_mask.or_else(as_cheap).map(|(_, other, _)| other.change(None));
    Way { change, or, refusals }
}

/// What mdevs are rather to give up, and what they are not: people who write a domain think in domains.
fn rather(store: &Store) -> [Rather; 2] {
    match store.path.rsplit('/').next() {
        Some("aqmask" | "assign_domain") => [Rather::Domains, Rather::Adapters],
        _ => [Rather::Adapters, Rather::Domains],
    }
}

/// Whether reserved queues can be given by overrides, too: the kernel has them, and the host gives none by its masks.
fn may_override(state: &State, refusals: &[Refusal]) -> bool {
    let few = refusals.iter().all(|refusal| match refusal {
        Refusal::Reserved { queues, .. } => queues.queue_count() <= MOST_OVERRIDES,
        _ => true,
    });
    few && state.kernel.driver_override && !state.masks_in_use && state.way() != Some(Give::Masks)
}

/// What is chosen where there are several ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct How {
    give: By,
    /// What mdevs give up.
    rather: Rather,
}

/// By what the host gives queues up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// Adapters leave apmask.
    Apmask,
    /// Domains leave aqmask.
    Aqmask,
    /// By overrides.
    Overrides,
}

/// What is in the way of something.
enum Hindrance {
    /// A rule, of that write.
    Refused(Box<Write>, Refusal),
    /// Its text, as the host is then; what to write instead.
    Wrong(String),
}

/// What is taken out of the way, one thing after the other, on a state that follows.
struct Search {
    how: How,
    now: State,
    /// What is in the way of the write itself.
    refusals: Vec<Refusal>,
    /// Those, and what is in the way of the change; with what was to take it out of the way.
    met: Vec<(Refusal, String)>,
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
            let (write, refusal) = match hindrance {
                Hindrance::Refused(write, refusal) => (write, refusal),
                Hindrance::Wrong(remedy) => return Err(remedy),
            };
            let part = part(&self.now, &write, &refusal, self.how);
            // What is met again was not taken away by what was to do so.
            let again =
                depth == DEEPEST || self.met.iter().any(|(met, by)| *met == refusal && *by == part.text);
            if depth == 0 {
                self.refusals.push(refusal.clone());
            }
            self.met.push((refusal, part.text.clone()));
            if again {
                return Err("nothing that can be written lets it through as the host is".to_owned());
            }
            if part.writes.is_empty() {
                return Err(part.text);
            }
            for Piece { write, .. } in &part.writes {
                let refuses = |refusal| Hindrance::Refused(Box::new(*write), refusal);
                self.clear(&|now| carried_out(now, write).err().map(refuses), depth + 1)?;
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

/// What takes queues from an mdev, at the least cost.
fn take(state: &State, mdev: Uuid, queues: &Matrix, holder: Option<&Holder>, rather: Rather) -> Part {
    let part = least_part(state, &mdev, queues, rather);
    let Some(found) = state.mdevs.get(&mdev) else {
        return Part::words(format!("take {part} from mdev {mdev}"));
    };
    let left = least_taken(state, found, queues, rather);
    let loses = found.shadow.shared(&left).queue_count() < found.shadow.queue_count();
    let running = match holder {
        Some(holder) if loses => format!("; {holder} loses what is taken while it runs"),
        Some(holder) => format!("; {holder}, which runs, loses no queue"),
        None => String::new(),
    };
    let text = format!("take {part} from mdev {mdev}{running}");
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

/// How the masks give a queue to the host's driver, and what is to be done before that.
fn to_host(state: &State, queue: Apqn) -> String {
    let mut now = state.clone();
    let mut text = format!("let the masks give queue {queue} to {}", Driver::Host.name());
    let missing = [
        (!now.masks.adapters.contains(queue.adapter))
            .then(|| Write::Apmask(Delta::between(AdapterMask::EMPTY, AdapterMask::single(queue.adapter)))),
        (!now.masks.domains.contains(queue.domain))
            .then(|| Write::Aqmask(Delta::between(DomainMask::EMPTY, DomainMask::single(queue.domain)))),
    ];
    let mut then = ": ";
    for write in missing.into_iter().flatten() {
        let store = write.store();
        if let Err(refusal) = now.after(&write) {
            let before = way_through(&now, &store, &refusal).change.text;
            text += &format!("{then}{before}");
            then = "; then ";
        }
        text += &format!("{then}echo {} > /sys/{}", store.text, store.path);
        then = "; then ";
        match write {
            Write::Apmask(_) => drop(now.masks.adapters.insert(queue.adapter)),
            _ => drop(now.masks.domains.insert(queue.domain)),
        }
    }
    text + "; no bind is needed then"
}

/// The queues of an mdev that a mask write would take from it, as the smallest product that has them.
fn unprotected(state: &State, write: &Write, mdev: &Uuid) -> Matrix {
    let mut masks = state.masks;
    match write {
        Write::Apmask(delta) => masks.adapters = delta.applied(masks.adapters),
        Write::Aqmask(delta) => masks.domains = delta.applied(masks.domains),
        _ => {}
    }
    let found = state.unprotected_by(&masks);
    let matrix = state.mdevs.get(mdev).map(|mdev| mdev.matrix).unwrap_or_default();
    let (mut adapters, mut domains) = (AdapterMask::EMPTY, DomainMask::EMPTY);
    for adapter in found.adapters_having_any(&matrix.adapters, &matrix.domains) {
        adapters.insert(adapter);
        domains |= found.row(adapter) & matrix.domains;
    }
    Matrix { adapters, domains, ..Matrix::default() }
}

/// What takes one refusal of a write out of the way.
fn part(state: &State, write: &Write, refusal: &Refusal, choice: How) -> Part {
    let words = || Part::words(refusal.remedy(state).to_string());
    let mask = |give_up: GiveUp| Part::of(give_up.to_string(), [give_up.write()]);
    match refusal {
        Refusal::InUse { queues, mdev, holder } => take(state, *mdev, queues, holder.as_ref(), choice.rather),
        Refusal::Shared { queues, other, holder, .. } => {
            take(state, *other, queues, holder.as_ref(), choice.rather)
        }
        Refusal::Reserved { queues, .. } if choice.give == By::Apmask => {
            mask(GiveUp::adapters(state, queues.adapters))
        }
        Refusal::Reserved { queues, .. } if choice.give == By::Aqmask => {
            mask(GiveUp::domains(state, queues.domains))
        }
        Refusal::Reserved { queues, .. } => {
            let mut writes = Vec::new();
            let hosts = |queue: &Apqn| state.hosts_of(&Matrix::of_queue(*queue)).0.has_queues();
            for queue in queues.queues().filter(|queue| state.exists(*queue) && hosts(queue)) {
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
            let given = writes.iter().filter(|write| matches!(write, Write::Unbind(_, Driver::Host))).count();
            let loss = match given {
                0 => String::new(),
                1 => ": the host gives up 1 queue".to_owned(),
                more => format!(": the host gives up {more} queues"),
            };
            let what = if queues.queue_count() == 1 { "queue" } else { "queues" };
            Part::of(format!("give the {what} to vfio_ap by driver_override{loss}"), writes)
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
            let taken = take(state, *mdev, &unprotected(state, write, mdev), holder.as_ref(), choice.rather);
            Part { text: format!("give queue {queue} its override again, or {}", taken.text), ..taken }
        }
        Refusal::MasksInUse => {
            let all = Masks::ALL;
            let adapters = Delta::between(state.masks.adapters, all.adapters);
            let domains = Delta::between(state.masks.domains, all.domains);
            // No mdev may have a queue then: the masks would take it.
            let having = state.mdevs.iter().filter(|(_, mdev)| mdev.matrix.has_queues());
            let taken = having.map(|(uuid, mdev)| {
                (uuid, take(state, *uuid, &mdev.matrix, mdev.holder.as_ref(), choice.rather))
            });
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
            Unbindable::NotTheirs if *driver == Driver::Host => Part::words(to_host(state, *queue)),
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
