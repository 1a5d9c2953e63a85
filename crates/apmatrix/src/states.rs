//! A scenario as a space that workers share out: its states, breadth first.
//!
//! What is numbered is the tasks: a way is who took each step. Every worker boots a machine of its own, runs the set-up and
//! goes to states by their ways ([`explore::Ways`]); the orders of one call after the other are played once for all. This
//! module knows nothing of workers, nor of how states are walked to.

use std::sync::atomic::{AtomicBool, Ordering};

use ap_cluster::{Cut, Explores, Kind, Met, Share, Space, Tally};
use ap_files::boot;
use ap_proof::scenario::{Explored, Ready, Serial};
use explore::{Options, Report, Walked, Ways};

use crate::scenario::Playable;

/// A scenario, and what all workers need to know of it.
pub struct States {
    play: Playable,
    options: Options,
    serial: Serial,
    undecided: AtomicBool,
}

impl States {
    /// Of a scenario that was made ready once.
    #[must_use]
    pub fn new(play: &Playable, ready: &Ready, options: Options) -> States {
        let (play, serial) = (play.clone(), ready.serial().clone());
        States { play, options, serial, undecided: AtomicBool::new(false) }
    }

    /// What a search of this process came to, judged.
    #[must_use]
    pub fn judged(&self, ready: &Ready, report: Report) -> Explored {
        ready.judged(report, !self.undecided.load(Ordering::Relaxed))
    }
}

impl Space for States {
    type Report = Report;

    fn facts(&self) -> Vec<(&'static str, String)> {
        let (scenario, machine) = (&self.play.scenario, &self.play.file.machine);
        let text = locks::hook::fingerprint(&format!("{scenario:?}"));
        let booted = locks::hook::fingerprint(&format!("{machine:?}"));
        vec![
            ("scenario", format!("{} {text:016x}", scenario.title.replace('\n', " "))),
            ("booted", format!("{booted:016x}")),
            ("kernel", machine.kernel.kernel.to_string()),
            ("strategy", format!("{:?}", self.options.strategy)),
        ]
    }

    fn enter(&self, work: &mut dyn FnMut(&mut dyn Explores<Report = Report>)) -> Result<(), String> {
        let session = boot(&self.play.file.machine).map_err(|error| error.to_string())?;
        let ready = Ready::knowing(&self.play.scenario, session, self.serial.clone());
        let ready = ready.map_err(|error| error.to_string())?;
        let ((), decided) = ready.by_ways(self.options.clone(), |ways| work(&mut Worker { ways }));
        self.undecided.fetch_or(!decided, Ordering::Relaxed);
        Ok(())
    }
}

/// A worker's own.
struct Worker<'a, 'e, 'c, 'p> {
    ways: &'a mut Ways<'e, 'c, 'p>,
}

/// The only beginning.
const ROOT: u8 = 0;

impl Explores for Worker<'_, '_, '_, '_> {
    type Report = Report;

    fn begin(&mut self) -> Result<Vec<(u8, u128)>, String> {
        Ok(vec![(ROOT, self.ways.begin()?)])
    }

    fn expand(
        &mut self,
        way: &[u8],
        share: &mut Share,
        send: &mut dyn FnMut(u8, u128),
    ) -> Result<(), String> {
        let tasks = way.get(1..).unwrap_or_default();
        self.ways.expand(tasks, &mut |came| {
            share.transitions += u64::from(came.task.is_some());
            share.ends += u64::from(came.task.is_none() && came.to.is_none());
            let on = || way.iter().copied().chain(came.task).collect();
            for (place, found) in (0..).zip(came.found) {
                let kind = if found.ends { Kind::Ends } else { Kind::Wrong };
                share.meet(Met { key: found.key, kind, count: 1, way: on(), place });
            }
            if came.endless {
                share.stick(on());
            }
            if let (Some(task), Some(print)) = (came.task, came.to) {
                send(task, print);
            }
        })?;
        share.deepest = share.deepest.max(self.ways.take_deepest());
        Ok(())
    }

    fn lesson(&mut self) -> Vec<u8> {
        self.ways.lesson()
    }

    fn learn(&mut self, lessons: &[Vec<u8>]) -> Result<bool, String> {
        self.ways.learn(lessons)
    }

    fn close(&mut self) -> Result<bool, String> {
        Ok(self.ways.close())
    }

    fn knowledge(&self) -> Vec<u8> {
        self.ways.knowledge()
    }

    fn report(&mut self, tally: &Tally, speaks: bool) -> Result<Report, String> {
        let met = |met: &Met| explore::Met {
            key: met.key,
            ends: met.kind == Kind::Ends,
            count: met.count,
            way: met.way.get(1..).unwrap_or_default().to_vec(),
        };
        let met: Vec<explore::Met> = tally.met.iter().map(met).collect();
        let walked = Walked {
            states: tally.states,
            transitions: tally.transitions,
            ends: tally.ends,
            deepest: tally.deepest,
            whole: tally.cut.map(|cut| match cut {
                Cut::Late => format!("the time is up ({:.1} s)", tally.time.as_secs_f64()),
                Cut::Stuck => "it stopped at an execution that does not end".to_owned(),
            }),
            elapsed: tally.time,
            shrink: speaks,
            ..Walked::default()
        };
        self.ways.report(&met, &walked)
    }
}
