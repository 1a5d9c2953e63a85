//! The space of sequences: from each state every operation of an alphabet.
//!
//! This module knows nothing of workers.

use std::sync::Arc;

use ap_proof::oracle::{Broken, Known};
use ap_proof::sequences::{Alphabet, Astray, Report, Violation, Walker};

use crate::space::{Explores, Space};
use crate::tally::{Cut, Kind, Met, Share, Tally};

impl Space for Alphabet {
    type Report = Report;

    fn facts(&self) -> Vec<(&'static str, String)> {
        vec![("alphabet", self.name.to_owned()), ("kernel", self.kernel.to_string())]
    }

    fn depth(&self) -> Option<u32> {
        self.depth
    }

    fn enter(&self, work: &mut dyn FnMut(&mut dyn Explores<Report = Report>)) -> Result<(), String> {
        work(&mut Sequences(Walker::new(Arc::new(self.clone()))));
        Ok(())
    }
}

/// A worker's machine.
struct Sequences(Walker);

impl Explores for Sequences {
    type Report = Report;

    fn begin(&mut self) -> Result<Vec<(u8, u128)>, String> {
        Ok(self.0.beginnings().collect())
    }

    fn expand(
        &mut self,
        way: &[u8],
        share: &mut Share,
        send: &mut dyn FnMut(u8, u128),
    ) -> Result<(), String> {
        let walked = self.0.expand(way, |came| {
            share.transitions += 1;
            let mut good = came.to.is_some();
            let way = || [way, &[came.operation]].concat();
            for (place, broken) in (0..).zip(came.found) {
                let known = Known::of(broken);
                good &= known.is_some();
                let kind = if known.is_some() { Kind::Known } else { Kind::Wrong };
                share.meet(Met { key: key(broken, known), kind, count: 1, way: way(), place });
            }
            if came.to.is_none() {
                share.stick(way());
            }
            if let Some(print) = came.to.filter(|_| good) {
                send(came.operation, print);
            }
        });
        walked.map_err(said)
    }

    fn report(&mut self, tally: &Tally, _: bool) -> Result<Report, String> {
        let mut violations = Vec::new();
        for met in &tally.met {
            violations.push(violation(met, &mut self.0)?);
        }
        let alphabet = self.0.alphabet();
        Ok(Report {
            alphabet: alphabet.name,
            operations: alphabet.operations.len(),
            transitions: tally.transitions,
            states: tally.states,
            depth: tally.depth(),
            closed: tally.closed(),
            cut: tally.cut.map(|cut| match cut {
                Cut::Late => "the time is up",
                Cut::Stuck => "an operation did not return",
            }),
            levels: tally.levels.iter().copied().filter(|states| *states > 0).collect(),
            time: tally.time,
            violations,
        })
    }
}

/// Known deviations are one each, whatever they say; all else is told apart by what it says.
fn key(broken: &Broken, known: Option<Known>) -> u64 {
    match known {
        Some(known) => locks::hook::fingerprint(&(true, known)),
        None => locks::hook::fingerprint(&(false, broken)),
    }
}

fn said(astray: Astray) -> String {
    astray.to_string()
}

fn violation(met: &Met, walker: &mut Walker) -> Result<Violation, String> {
    let mut found = walker.wrong(&met.way).map_err(said)?;
    let alphabet: &Alphabet = walker.alphabet();
    let place = met.place as usize;
    let (beginning, operations) = match met.way.split_first() {
        Some(way) if place < found.len() => way,
        _ => return Err("what was wrong is not wrong when the same operations are done again".to_owned()),
    };
    let broken = found.swap_remove(place);
    Ok(Violation {
        known: Known::of(&broken),
        broken,
        count: met.count,
        beginning: alphabet.beginnings[usize::from(*beginning)].clone(),
        sequence: operations.iter().map(|number| alphabet.operations[usize::from(*number)]).collect(),
    })
}
