//! A worker's machine, and how it gets to a state: by the operations that lead there.
//!
//! States can't move from one machine to another, because they share objects with the host that they are of. So a state
//! is named by its way: the number of a beginning, and the numbers of the operations after it. Ways that are walked in
//! ascending order share what they begin with: a [`Walker`] keeps the states along the last one.
//!
//! This module knows nothing of levels, of what was seen before, and of other workers.

use std::sync::Arc;

use crate::oracle::Broken;
use crate::sequences::alphabet::Alphabet;
use crate::sequences::bench::Bench;
use crate::sequences::judge::judge;
use crate::sequences::operation::Operation;
use crate::sequences::state::{Ran, State};

/// What came of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Came<'a> {
    /// The operation's number.
    pub operation: u8,
    /// The fingerprint of the state after it; `None` if it did not return: this is the last thing wrong with it.
    pub to: Option<u128>,
    /// What is wrong with it.
    pub found: &'a [Broken],
}

/// A way that led to a state, and does not the second time: what runs does not do the same again, or the way is another
/// alphabet's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these operations led to a state, and do not when they are done again: {0}")]
pub struct Astray(String);

impl Astray {
    pub(super) fn on(way: &[u8], alphabet: &Alphabet) -> Astray {
        let name = |number: &u8| match alphabet.operations.get(usize::from(*number)) {
            Some(operation) => operation.to_string(),
            None => format!("operation {number}"),
        };
        let operations: Vec<String> = way.iter().skip(1).map(name).collect();
        Astray(operations.join("; "))
    }
}

/// A machine of one's own, on which an alphabet's sequences run.
pub struct Walker {
    alphabet: Arc<Alphabet>,
    bench: Bench,
    beginnings: Vec<State>,
    /// The last way, each with the state to which it led; the first is a beginning.
    on: Vec<(u8, State)>,
    found: Vec<Broken>,
}

impl Walker {
    /// Boots the machine, and does what is done before sequences begin.
    ///
    /// # Panics
    /// If the alphabet has more operations or beginnings than a byte can number, or the machine does not boot.
    #[must_use]
    pub fn new(alphabet: Arc<Alphabet>) -> Walker {
        assert!(alphabet.operations.len() <= 256, "an operation's number is a byte");
        assert!(alphabet.beginnings.len() <= 256, "a beginning's number is a byte");
        let mut bench = Bench::new(alphabet.kernel);
        let beginnings = beginnings(&alphabet, &mut bench);
        Walker { alphabet, bench, beginnings, on: Vec::new(), found: Vec::new() }
    }

    /// What it runs.
    #[must_use]
    pub fn alphabet(&self) -> &Alphabet {
        &self.alphabet
    }

    /// The beginnings: their numbers, which are the shortest ways, and their states' fingerprints.
    pub fn beginnings(&self) -> impl Iterator<Item = (u8, u128)> {
        (0..).zip(self.beginnings.iter().map(State::fingerprint))
    }

    /// Runs every operation that makes sense in the state to which `way` leads, up to one that does not return.
    ///
    /// # Errors
    /// If the way leads nowhere.
    pub fn expand(&mut self, way: &[u8], mut tell: impl FnMut(Came<'_>)) -> Result<(), Astray> {
        let alphabet = self.alphabet.clone();
        let state = self.reach(way)?;
        for (number, operation) in (0..=u8::MAX).zip(&alphabet.operations) {
            self.bench.go_to(&state);
            let Some(to) = self.judged(operation, &state) else { continue };
            tell(Came { operation: number, to: to.as_ref().map(State::fingerprint), found: &self.found });
            if to.is_none() {
                self.renew();
                return Ok(());
            }
        }
        Ok(())
    }

    /// What is wrong with the last operation of a way.
    ///
    /// # Errors
    /// If the way leads nowhere.
    pub fn wrong(&mut self, way: &[u8]) -> Result<Vec<Broken>, Astray> {
        let alphabet = self.alphabet.clone();
        let astray = || Astray::on(way, &alphabet);
        let (last, before) = way.split_last().ok_or_else(astray)?;
        let operation = alphabet.operations.get(usize::from(*last)).ok_or_else(astray)?;
        let state = self.reach(before)?;
        self.bench.go_to(&state);
        if let Some(None) = self.judged(operation, &state) {
            self.renew();
        }
        Ok(std::mem::take(&mut self.found))
    }

    /// Runs and judges an operation: what is wrong is in `found` then. `None`: it makes no sense here; `Some(None)`: it
    /// did not return.
    #[expect(clippy::option_option, reason = "two things that may not be")]
    fn judged(&mut self, operation: &Operation, before: &State) -> Option<Option<State>> {
        self.found.clear();
        match self.bench.run(operation, before, &mut self.found) {
            Ran::Senseless => None,
            Ran::Returned(returned) => {
                judge(before, operation, &returned, &self.bench.statuses(), &mut self.found);
                Some(Some(returned.after))
            }
            Ran::NotReturned(why) => {
                self.found.push(why.into());
                Some(None)
            }
        }
    }

    /// Goes to a state.
    fn reach(&mut self, way: &[u8]) -> Result<State, Astray> {
        let alphabet = self.alphabet.clone();
        let astray = || Astray::on(way, &alphabet);
        let same = self.on.iter().zip(way).take_while(|((number, _), wanted)| number == *wanted).count();
        self.on.truncate(same);
        for number in &way[same..] {
            let state = match self.on.last() {
                None => self.beginnings.get(usize::from(*number)).ok_or_else(astray)?.clone(),
                Some((_, before)) => {
                    let operation = alphabet.operations.get(usize::from(*number)).ok_or_else(astray)?;
                    self.bench.go_to(before);
                    self.found.clear();
                    match self.bench.run(operation, before, &mut self.found) {
                        Ran::Returned(returned) => returned.after,
                        Ran::Senseless => return Err(astray()),
                        Ran::NotReturned(_) => {
                            self.renew();
                            return Err(astray());
                        }
                    }
                }
            };
            self.on.push((*number, state));
        }
        self.on.last().map(|(_, state)| state.clone()).ok_or_else(astray)
    }

    /// After an operation that did not return its machine is of no use any more.
    fn renew(&mut self) {
        self.bench = Bench::new(self.alphabet.kernel);
        self.beginnings = beginnings(&self.alphabet, &mut self.bench);
        self.on.clear();
    }
}

/// The states in which sequences begin.
fn beginnings(alphabet: &Alphabet, bench: &mut Bench) -> Vec<State> {
    let boot = bench.take();
    let mut ignored = Vec::new();
    let mut begin = |beginning: &Vec<Operation>| {
        bench.go_to(&boot);
        let mut state = bench.take();
        for operation in beginning {
            if let Ran::Returned(returned) = bench.run(operation, &state, &mut ignored) {
                state = returned.after;
            }
        }
        state
    };
    alphabet.beginnings.iter().map(&mut begin).collect()
}
