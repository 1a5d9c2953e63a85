//! What an audit says: whether what tasks say they remember is all that what they do depends on.
//!
//! This module knows nothing of what else an exploration found, nor of how an audit is done.

use explore::{AuditReport, Report};
use serde::Serialize;

use crate::commands::explore::report::{count, several};

/// What became of an audit that was asked for.
#[derive(Serialize, schemars::JsonSchema)]
pub struct Audit {
    /// How many pasts were followed at each place at the most.
    pasts: u32,
    /// Whether it came to its end; if not, the time was up, or something is wrong with the exploration itself.
    pub finished: bool,
    /// To how many places tasks came after they had said what they remember.
    places: u64,
    /// To how many of them they came with different pasts, which were compared.
    compared: u64,
    /// To how many of them they came with more pasts than were followed.
    beyond: u64,
    states: u64,
    seconds: f64,
}

impl Audit {
    /// Of a report of an exploration with so many pasts.
    pub fn new(pasts: u32, report: &Report) -> Audit {
        let Some(audit) = &report.audit else {
            let (places, compared, beyond, states) = (0, 0, 0, 0);
            return Audit { pasts, finished: false, places, compared, beyond, states, seconds: 0.0 };
        };
        let AuditReport { finished, places, compared, beyond, states, .. } = *audit;
        Audit { pasts, finished, places, compared, beyond, states, seconds: audit.elapsed.as_secs_f64() }
    }

    /// For people.
    pub fn text(&self) -> String {
        let Audit { pasts, finished, places, states, seconds, .. } = self;
        let (compared, beyond) = (count(self.compared), count(self.beyond));
        let end = if *finished { "audited" } else { "NOT audited to the end" };
        let followed = several((*pasts).into(), "past");
        format!(
            "{end}: {}, {compared} of them with different pasts, {beyond} with more than the {followed} that were followed; {}, {seconds:.1} s",
            several(*places, "place"),
            several(*states, "state"),
        )
    }
}
