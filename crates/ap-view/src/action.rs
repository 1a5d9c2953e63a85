//! The next writes to what is selected, and what each would answer: asked of a copy of the state, by the rules of
//! `ap-plan`.

use ap_plan::write::Delta;
use ap_plan::{Refusal, State, Store, Why, Write, why};
use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, DomainMask, Matrix, Uuid, grammar};

use crate::host::Host;
use crate::operation::Operation;
use crate::selection::Selection;

/// What kind of an action it is: by this a key finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sort {
    /// A bit of apmask or aqmask.
    Mask,
    /// Something is assigned to a mediated device.
    Assign,
    /// Something is taken from one.
    Unassign,
    /// Hardware comes.
    Plug,
    /// Hardware goes.
    Unplug,
    /// Hardware gets worse or better where it is.
    Fault,
    /// A guest starts.
    Start,
    /// A guest stops.
    Stop,
    /// A mediated device is made.
    Create,
    /// One is removed.
    Remove,
}

/// Something that one could do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What kind it is.
    pub sort: Sort,
    /// In a few words.
    pub label: String,
    /// What does it.
    pub operation: Operation,
    /// What it would answer.
    pub verdict: Verdict,
}

/// What a write would answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It would be done; what that changes.
    Done(String),
    /// It would be refused.
    Refused {
        /// What the write would get for an answer.
        answer: Reply,
        /// Why.
        why: String,
        /// The smallest change that would make it possible.
        remedy: String,
    },
    /// No rule of writes says: hardware and guests are asked when it is done.
    Unasked,
}

/// What a write that is not done gets for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// write(2) fails with it.
    Errno(&'static str),
    /// write(2) waits until the guest lets go.
    Waits,
    /// An emulated host refuses it with `EBUSY`, and so do we; the kernel does it, and the guest loses a queue (page 7, N26).
    OnlyHere,
}

impl Reply {
    fn of(refusal: &Refusal) -> Reply {
        match (refusal.errno(), refusal) {
            (Some(errno), _) => Reply::Errno(errno),
            (None, Refusal::Unprotected { .. }) => Reply::OnlyHere,
            (None, _) => Reply::Waits,
        }
    }

    /// The errno's name, if write(2) fails.
    #[must_use]
    pub fn errno(self) -> Option<&'static str> {
        match self {
            Reply::Errno(errno) => Some(errno),
            Reply::Waits => None,
            Reply::OnlyHere => Some("EBUSY"),
        }
    }

    /// In a few words, before the reason.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Reply::Errno(errno) => errno,
            Reply::Waits => "it would wait",
            Reply::OnlyHere => "EBUSY here, though Linux 6.19 to 7.1 would do it",
        }
    }
}

impl Host {
    /// The next writes to what is selected. `target` is the mediated device that queues are assigned to; the first one
    /// if there is no such.
    #[must_use]
    pub fn actions(&self, selection: Option<Selection>, target: Option<Uuid>) -> Vec<Action> {
        let mdevs = &self.state.mdevs;
        let target = target.filter(|uuid| mdevs.contains_key(uuid)).or_else(|| mdevs.keys().next().copied());
        let mut list = List { host: self, actions: Vec::new() };
        match selection {
            Some(Selection::Queue(apqn)) => {
                let owner = mdevs.iter().find(|(_, mdev)| mdev.matrix.contains(apqn)).map(|(uuid, _)| *uuid);
                list.apmask(apqn.adapter);
                list.aqmask(apqn.domain);
                if let Some(mdev) = owner.or(target) {
                    list.adapter(mdev, apqn.adapter);
                    list.domain(mdev, apqn.domain);
                }
                list.queue(apqn);
            }
            Some(Selection::Adapter(id)) => {
                list.apmask(id);
                if let Some(mdev) = target {
                    list.adapter(mdev, id);
                }
                list.card(id);
            }
            Some(Selection::Domain(id)) => {
                list.aqmask(id);
                if let Some(mdev) = target {
                    list.domain(mdev, id);
                }
                let there = self.configured.domains.contains(id);
                list.plug(there, &format!("domain {id}"), &format!(".{}", id.0));
            }
            Some(Selection::Mdev(uuid)) => list.mdev(uuid),
            None => {}
        }
        list.create();
        list.actions
    }
}

struct List<'a> {
    host: &'a Host,
    actions: Vec<Action>,
}

impl List<'_> {
    fn write(&mut self, sort: Sort, label: String, write: Write, operation: Operation) {
        let state = &self.host.state;
        let verdict = match state.after(&write) {
            Ok(after) => Verdict::Done(changes(state, &after)),
            Err(refusal) => {
                let (reason, change) = all_in_the_way(state, &operation, &refusal);
                Verdict::Refused {
                    answer: Reply::of(&refusal),
                    why: self.host.by_numbers(reason),
                    remedy: self.host.by_numbers(change),
                }
            }
        };
        self.actions.push(Action { sort, label, operation, verdict });
    }

    fn store(&mut self, sort: Sort, label: String, write: Write) {
        let store = write.store();
        self.write(sort, label, write, Operation::Write { path: store.path, text: store.text });
    }

    fn other(&mut self, sort: Sort, label: String, operation: Operation) {
        self.actions.push(Action { sort, label, operation, verdict: Verdict::Unasked });
    }

    fn apmask(&mut self, id: AdapterId) {
        let before = self.host.state.masks.adapters;
        let (label, after) = match before.contains(id) {
            true => (format!("take adapter {id} out of apmask"), before - AdapterMask::single(id)),
            false => (format!("reserve adapter {id} for the host"), before | AdapterMask::single(id)),
        };
        self.store(Sort::Mask, label, Write::Apmask(Delta::between(before, after)));
    }

    fn aqmask(&mut self, id: DomainId) {
        let before = self.host.state.masks.domains;
        let (label, after) = match before.contains(id) {
            true => (format!("take domain {id} out of aqmask"), before - DomainMask::single(id)),
            false => (format!("reserve domain {id} for the host"), before | DomainMask::single(id)),
        };
        self.store(Sort::Mask, label, Write::Aqmask(Delta::between(before, after)));
    }

    fn matrix(&mut self, uuid: Uuid, what: &str, id: u8, name: String, change: impl Fn(&mut Matrix) -> bool) {
        let Some(mdev) = self.host.state.mdevs.get(&uuid) else { return };
        let number = self.host.number(&uuid).unwrap_or_default();
        let mut matrix = mdev.matrix;
        let assigned = change(&mut matrix);
        let (sort, verb, label) = match assigned {
            true => (Sort::Assign, "assign", format!("assign {what} {name} to mdev {number}")),
            false => (Sort::Unassign, "unassign", format!("take {what} {name} from mdev {number}")),
        };
        let path = format!("devices/vfio_ap/matrix/{uuid}/{verb}_{what}");
        self.write(sort, label, Write::Config(uuid, matrix), Operation::Write { path, text: id.to_string() });
    }

    fn adapter(&mut self, uuid: Uuid, id: AdapterId) {
        self.matrix(uuid, "adapter", id.0, id.to_string(), |matrix| {
            let new = matrix.adapters.insert(id);
            if !new {
                matrix.adapters.remove(id);
            }
            new
        });
    }

    fn domain(&mut self, uuid: Uuid, id: DomainId) {
        self.matrix(uuid, "domain", id.0, id.to_string(), |matrix| {
            let new = matrix.domains.insert(id);
            if !new {
                matrix.domains.remove(id);
            }
            new
        });
    }

    fn plug(&mut self, there: bool, what: &str, argument: &str) {
        let (sort, verb) = if there { (Sort::Unplug, "unplug") } else { (Sort::Plug, "plug") };
        self.other(sort, format!("{verb} {what}"), Operation::Hw(format!("{verb} {argument}")));
    }

    fn card(&mut self, id: AdapterId) {
        let facts = self.host.cards.get(&id);
        self.plug(facts.is_some(), &format!("adapter {id}"), &id.0.to_string());
        let Some(facts) = facts else { return };
        let verb = if facts.config == Some(false) { "configure" } else { "deconfigure" };
        self.other(Sort::Fault, format!("{verb} adapter {id}"), Operation::Hw(format!("{verb} {}", id.0)));
        let verb = if facts.checkstopped == Some(true) { "repair" } else { "checkstop" };
        self.other(Sort::Fault, format!("{verb} adapter {id}"), Operation::Hw(format!("{verb} {}", id.0)));
    }

    fn queue(&mut self, apqn: Apqn) {
        let there = self.host.state.exists(apqn);
        self.plug(there, &format!("queue {apqn}"), &apqn.to_string());
        if !there {
            return;
        }
        let stopped = self.host.marks.checkstopped.contains(apqn);
        let verb = if stopped { "repair" } else { "checkstop" };
        self.other(Sort::Fault, format!("{verb} queue {apqn}"), Operation::Hw(format!("{verb} {apqn}")));
        if self.host.state.queues.host.contains(apqn) {
            let (label, text) = match self.host.marks.offline.contains(apqn) {
                true => ("online", "1"),
                false => ("offline", "0"),
            };
            let path = format!("devices/ap/card{}/{apqn}/online", apqn.adapter);
            let operation = Operation::Write { path, text: text.to_owned() };
            self.other(Sort::Fault, format!("set queue {apqn} {label}"), operation);
        }
    }

    fn mdev(&mut self, uuid: Uuid) {
        let host = self.host;
        let Some(mdev) = host.state.mdevs.get(&uuid) else { return };
        let number = host.number(&uuid).unwrap_or_default();
        match mdev.holder.as_ref().map(|holder| holder.guest.as_deref()) {
            Some(Some(guest)) => {
                self.other(
                    Sort::Stop,
                    format!("stop guest {guest}"),
                    Operation::Guest(format!("stop {guest}")),
                );
            }
            Some(None) => {}
            None => {
                let name = self.guest_name();
                let line = format!("start {name} {uuid}");
                self.other(Sort::Start, format!("start a guest on mdev {number}"), Operation::Guest(line));
            }
        }
        self.store(Sort::Remove, format!("remove mdev {number}"), Write::Remove(uuid));
    }

    /// A guest's name that none has.
    fn guest_name(&self) -> String {
        let taken: Vec<&str> = self
            .host
            .state
            .mdevs
            .values()
            .filter_map(|mdev| mdev.holder.as_ref()?.guest.as_deref())
            .collect();
        let mut names = (1..).map(|number| format!("g{number}"));
        names.find(|name| !taken.contains(&name.as_str())).unwrap_or_default()
    }

    fn create(&mut self) {
        let mdevs = &self.host.state.mdevs;
        let named = |number: u32| {
            let text = format!("a{number:07x}-0000-4000-8000-{number:012x}");
            grammar::uuid(text.as_bytes()).ok()
        };
        let Some(uuid) = (1..).find_map(|number| named(number).filter(|uuid| !mdevs.contains_key(uuid)))
        else {
            return;
        };
        self.store(Sort::Create, "make an mdev".to_owned(), Write::Create(uuid));
    }
}

/// All that is in the way of a write that is refused, and what takes it out of the way: a write, where one is enough.
fn all_in_the_way(state: &State, operation: &Operation, first: &Refusal) -> (String, String) {
    let alone = || (first.to_string(), first.remedy(state).as_write());
    let Operation::Write { path, text } = operation else { return alone() };
    match why(state, &Store { path: path.clone(), text: format!("{text}\n") }) {
        Why::Refused(because) | Why::Waits(because) => (because.reason, because.change.in_a_line()),
        _ => alone(),
    }
}

/// What a write changes, in a few words.
fn changes(before: &State, after: &State) -> String {
    let mut parts = Vec::new();
    let ways = [
        (&before.queues.host, &after.queues.vfio, "from the host to vfio_ap"),
        (&before.queues.vfio, &after.queues.host, "from vfio_ap to the host"),
        (&before.queues.none, &after.queues.host, "to the host, from no driver"),
        (&before.queues.none, &after.queues.vfio, "to vfio_ap, from no driver"),
        (&before.queues.host, &after.queues.none, "from the host to no driver"),
    ];
    // Most writes move nothing, and then there is nothing to count.
    if before.queues != after.queues {
        for (from, to, way) in ways {
            match from.shared_len(to) {
                0 => {}
                1 => parts.push(format!("1 queue goes {way}")),
                count => parts.push(format!("{count} queues go {way}")),
            }
        }
    }
    for (uuid, mdev) in &after.mdevs {
        let Some(old) = before.mdevs.get(uuid) else { continue };
        let (was, is) = (old.shadow.queue_count(), mdev.shadow.queue_count());
        if mdev.matrix != old.matrix || was != is {
            let who = match &mdev.holder {
                Some(holder) => holder.to_string(),
                None => "its guest".to_owned(),
            };
            parts.push(match was == is {
                true => format!("{who} gets {}, as before", queues(is)),
                false => format!("{who} gets {} instead of {was}", queues(is)),
            });
        }
    }
    if parts.is_empty() { "no queue changes hands".to_owned() } else { parts.join("; ") }
}

fn queues(count: usize) -> String {
    if count == 1 { "1 queue".to_owned() } else { format!("{count} queues") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_says_what_write_would_answer() {
        let uuid = grammar::uuid(b"a0000000-0000-4000-8000-000000000001").expect("a UUID");
        let queue = Apqn::new(AdapterId(4), DomainId(6));
        let taken = Reply::of(&Refusal::Unprotected { queue, mdev: uuid, holder: None });
        assert_eq!((taken, taken.errno()), (Reply::OnlyHere, Some("EBUSY")));
        assert!(!taken.words().contains("wait"), "{}", taken.words());
        let held = Reply::of(&Refusal::Held { mdev: uuid, holder: ap_plan::Holder::default() });
        assert_eq!((held, held.errno(), held.words()), (Reply::Waits, None, "it would wait"));
        assert_eq!(Reply::of(&Refusal::NoMdev(uuid)), Reply::Errno("ENOENT"));
    }
}
