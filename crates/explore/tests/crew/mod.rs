//! A search by ways that threads share out: as plain as can be, without timely.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use explore::{Explorer, Met, Options, Program, Report, Walked, Ways};

/// What one of them is to do.
enum Ask {
    Lesson,
    Learn(Vec<Vec<u8>>),
    Begin,
    Close,
    /// To explore from these states, the last one first if that is said.
    Expand(Vec<Vec<u8>>, bool),
    Report(Vec<Met>, Box<Walked>),
    End,
}

/// What comes of a step: the way to it, the state, and what was found.
type Step = (Vec<u8>, Option<u128>, Vec<(u64, bool)>, bool);

enum Answer {
    Lesson(Vec<u8>),
    Anew(bool),
    Root(u128),
    Steps(Vec<Step>),
    Report(Box<Report>),
}

/// What came of it.
pub struct Searched {
    pub report: Report,
    /// How many new states each level has, in the search that counts.
    pub levels: Vec<usize>,
    /// The sum of all states' fingerprints.
    pub sum: u128,
    /// How often it was begun.
    #[allow(dead_code, reason = "not every test that has this module asks")]
    pub begun: usize,
}

fn serve(ways: &mut Ways<'_, '_, '_>, asked: &Receiver<Ask>, answers: &Sender<Result<Answer, String>>) {
    for ask in asked {
        let answer = match ask {
            Ask::End => return,
            Ask::Lesson => Ok(Answer::Lesson(ways.lesson())),
            Ask::Learn(lessons) => ways.learn(&lessons).map(Answer::Anew),
            Ask::Close => Ok(Answer::Anew(ways.close())),
            Ask::Begin => ways.begin().map(Answer::Root),
            Ask::Expand(mut all, backwards) => {
                if backwards {
                    all.reverse();
                }
                let mut steps = Vec::new();
                let expanded = all.iter().try_for_each(|way| {
                    ways.expand(way, &mut |came| {
                        let way = way.iter().copied().chain(came.task).collect();
                        let found = came.found.iter().map(|found| (found.key, found.ends)).collect();
                        steps.push((way, came.to, found, came.endless));
                    })
                });
                expanded.map(|()| Answer::Steps(steps))
            }
            Ask::Report(met, walked) => {
                ways.report(&met, &walked).map(|report| Answer::Report(Box::new(report)))
            }
        };
        if answers.send(answer).is_err() {
            return;
        }
    }
}

/// What comes from one of them.
type Answers = Receiver<Result<Answer, String>>;

/// The others' ends of what is asked and answered.
struct Crew(Vec<(Sender<Ask>, Answers)>);

impl Crew {
    fn one(&self, worker: usize, ask: Ask) -> Result<Answer, String> {
        self.0[worker].0.send(ask).map_err(|_| "a worker is gone")?;
        self.0[worker].1.recv().map_err(|_| "a worker is gone")?
    }

    fn all(&self, mut ask: impl FnMut(usize) -> Ask) -> Result<Vec<Answer>, String> {
        for (worker, (asks, _)) in self.0.iter().enumerate() {
            asks.send(ask(worker)).map_err(|_| "a worker is gone")?;
        }
        self.0.iter().map(|(_, answers)| answers.recv().map_err(|_| "a worker is gone")?).collect()
    }

    /// Everybody tells everybody what was learned; whether the search is to begin anew.
    fn talk(&self) -> Result<bool, String> {
        let lessons: Vec<Vec<u8>> = self
            .all(|_| Ask::Lesson)?
            .into_iter()
            .map(|answer| if let Answer::Lesson(lesson) = answer { lesson } else { Vec::new() })
            .collect();
        self.alike(|_| Ask::Learn(lessons.clone()))
    }

    /// Asks all whether the search is to begin anew.
    fn alike(&self, ask: impl FnMut(usize) -> Ask) -> Result<bool, String> {
        let anew = self.all(ask)?;
        let anew: Vec<bool> = anew.iter().map(|answer| matches!(answer, Answer::Anew(true))).collect();
        assert!(anew.iter().all(|one| *one == anew[0]), "all decide alike");
        Ok(anew[0])
    }

    fn search(&self) -> Result<Searched, String> {
        self.talk()?;
        let mut begun = 0;
        'anew: loop {
            begun += 1;
            let roots = self.all(|_| Ask::Begin)?;
            let roots: Vec<u128> =
                roots.iter().map(|root| if let Answer::Root(root) = root { *root } else { 0 }).collect();
            assert!(roots.iter().all(|root| *root == roots[0]), "all begin in the same state");
            let mut seen: HashMap<u128, Vec<u8>> = HashMap::from([(roots[0], Vec::new())]);
            let mut level = vec![Vec::new()];
            let (mut levels, mut transitions, mut ends) = (Vec::new(), 0, 0);
            let mut met: BTreeMap<u64, Met> = BTreeMap::new();
            let mut whole = None;
            while !level.is_empty() && whole.is_none() {
                levels.push(level.len());
                assert!(seen.len() < 500_000, "programs of tests are small");
                // Each has its own part, in its own order.
                let (workers, number) = (self.0.len(), levels.len());
                let part = |worker: usize| {
                    let mine =
                        level.iter().enumerate().filter(|(index, _)| (index + number) % workers == worker);
                    mine.map(|(_, way)| way.clone()).collect()
                };
                let answers = self.all(|worker| Ask::Expand(part(worker), worker % 2 == 1))?;
                let mut steps: Vec<Step> = Vec::new();
                for answer in answers {
                    if let Answer::Steps(some) = answer {
                        steps.extend(some);
                    }
                }
                if self.talk()? {
                    continue 'anew;
                }
                steps.sort_by(|one, other| (one.0.len(), &one.0).cmp(&(other.0.len(), &other.0)));
                let before = level.len();
                let depth = level[0].len();
                level.clear();
                for (way, to, found, endless) in steps {
                    transitions += u64::from(way.len() > depth);
                    ends += u64::from(way.len() == depth && to.is_none());
                    for (key, ends) in found {
                        let first = Met { key, ends, count: 0, way: way.clone() };
                        met.entry(key).or_insert(first).count += 1;
                    }
                    if endless {
                        whole = Some("an execution does not end".to_owned());
                    }
                    if let Some(print) = to {
                        seen.entry(print).or_insert_with(|| {
                            level.push(way.clone());
                            way
                        });
                    }
                }
                assert!(before > 0);
            }
            if whole.is_none() && self.alike(|_| Ask::Close)? {
                continue;
            }
            let met: Vec<Met> = met.into_values().collect();
            let states = seen.len() as u64;
            let walked = Walked { states, transitions, ends, whole, shrink: true, ..Walked::default() };
            let mut reports = Vec::new();
            for worker in 0..self.0.len() {
                if let Answer::Report(report) =
                    self.one(worker, Ask::Report(met.clone(), Box::new(walked.clone())))?
                {
                    reports.push(report);
                }
            }
            let told = |report: &Report| {
                let violations: Vec<_> =
                    report.violations.iter().map(|v| (v.finding.clone(), v.schedule.to_string())).collect();
                let outcomes: Vec<_> = report
                    .outcomes
                    .iter()
                    .map(|o| (o.results.clone(), o.state.clone(), o.schedule.to_string(), o.executions))
                    .collect();
                (report.verdict, violations, outcomes, report.executions, report.lock_order.cycles.len())
            };
            for report in &reports {
                assert_eq!(told(report), told(&reports[0]), "all report the same");
            }
            let sum = seen.keys().fold(0u128, |sum, print| sum.wrapping_add(*print));
            let report = *reports.swap_remove(0);
            return Ok(Searched { report, levels, sum, begun });
        }
    }
}

/// Explores a program by so many threads.
pub fn search<P: Program>(
    workers: usize,
    options: &Options,
    make: impl Fn() -> P + Sync,
) -> Result<Searched, String> {
    thread::scope(|scope| {
        let mut crew = Crew(Vec::new());
        for _ in 0..workers {
            let (ask, asked) = channel();
            let (answer, answers) = channel();
            crew.0.push((ask, answers));
            let make = &make;
            scope.spawn(move || {
                let mut program = make();
                Explorer::new(options.clone()).by_ways(&mut program, |ways| serve(ways, &asked, &answer));
            });
        }
        let searched = crew.search();
        for (ask, _) in &crew.0 {
            let _gone = ask.send(Ask::End);
        }
        searched
    })
}
