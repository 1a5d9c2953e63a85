//! Everything of the seed that can be explored by name.

use std::collections::BTreeSet;
use std::rc::Rc;

use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, DomainMask, Matrix};
use explore::{Explorer, Program, Report, Scene};
use locks::enter;

use crate::ask::{Stage, in_order, program};
use crate::mail::{self, MailStep};
use crate::model::{Masks, Model, Setup};
use crate::names;
use crate::oracle;
use crate::overrides::{Asks, Newer};
use crate::question::Question;
use crate::series::{Locking, Series};
use crate::shipped::{Added, Host};
use crate::tidy;
use crate::v12::returns;

/// Something that can be explored by name.
pub struct Specimen {
    /// Its name.
    pub id: String,
    /// What it is, in a line.
    pub title: String,
    /// Its tasks: name, and what each does.
    pub cast: Vec<(String, String)>,
    /// The question that it answers, if it is one of the table's.
    pub question: Option<(Series, Question)>,
    /// The steps that a mail numbers.
    pub mail: &'static [MailStep],
    /// The program.
    pub program: Box<dyn Program>,
}

/// A line of the list of specimens.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// Its name; what is in capitals stands for several.
    pub id: &'static str,
    /// What it is.
    pub title: &'static str,
}

/// What can be explored; `v12` is a [`table()`](crate::table()) and no specimen.
#[must_use]
pub fn specimens() -> &'static [Listed] {
    &[
        Listed {
            id: "seed-deadlock",
            title: "the mail: with mutex_lock, a mask write and an assignment deadlock",
        },
        Listed { id: "seed-theft", title: "the answer: with mutex_trylock, a queue is stolen from an mdev" },
        Listed { id: "seed-busy", title: "and calls are refused with EBUSY for no reason" },
        Listed {
            id: "seed-protected",
            title: "and a guest that becomes protected deadlocks with its own instruction",
        },
        Listed {
            id: "override-theft",
            title: "the theft again, in Linux 6.19 to 7.1: an override is cleared, and a mask write adds no bit",
        },
        Listed {
            id: "override-shipped",
            title: "the same calls where a mask write asks about what it takes",
        },
        Listed { id: "shipped", title: "what was merged: P before everything, on the same two calls" },
        Listed {
            id: "shipped-4",
            title: "the same with four tasks: mask write, assignment, scan, guest start",
        },
        Listed { id: "shipped-5", title: "the same with five: a second assignment" },
        Listed { id: "shipped-6", title: "the same with six: a second mask write" },
        Listed {
            id: "v12",
            title: "the table: five questions to each prefix of the series, with either lock",
        },
        Listed {
            id: "v12-PP-LOCK-QUESTION",
            title: "one cell of it: 00 to 17, trylock or blocking, a column's name (v12-07-trylock-theft_race)",
        },
    ]
}

/// The specimen of this name.
#[must_use]
pub fn specimen(id: &str) -> Option<Specimen> {
    let (series, question) = match id {
        "seed-deadlock" => (Series::new(11, Locking::Blocking), Question::Deadlock),
        "seed-theft" => (Series::new(7, Locking::Trylock), Question::TheftRace),
        "seed-busy" => (Series::new(7, Locking::Trylock), Question::SpuriousBusy),
        "seed-protected" => (Series::new(12, Locking::Trylock), Question::ProtectedGuestCycle),
        "override-theft" => return Some(overridden(id, Asks::AddedBits)),
        "override-shipped" => return Some(overridden(id, Asks::WhatItTakes)),
        "shipped" => return Some(merged(id, 2)),
        "shipped-4" => return Some(merged(id, 4)),
        "shipped-5" => return Some(merged(id, 5)),
        "shipped-6" => return Some(merged(id, 6)),
        _ => cell(id)?,
    };
    Some(of_series(id, series, question))
}

/// The cell of the table that an id names.
fn cell(id: &str) -> Option<(Series, Question)> {
    let mut parts = id.strip_prefix("v12-")?.splitn(3, '-');
    let (prefix, locking, question) = (parts.next()?, parts.next()?, parts.next()?);
    let prefix = prefix.parse().ok().filter(|prefix| *prefix <= Series::ALL_PATCHES)?;
    let locking = Locking::ALL.into_iter().find(|known| known.key() == locking)?;
    let question = Question::ALL.into_iter().find(|known| known.key() == question)?;
    Some((Series::new(prefix, locking), question))
}

/// The id of a cell of the table.
#[must_use]
pub fn id_of(series: Series, question: Question) -> String {
    format!("v12-{:02}-{}-{}", series.prefix, series.locking.key(), question.key())
}

fn of_series(id: &str, series: Series, question: Question) -> Specimen {
    let asks = match question {
        Question::TheftSequence => "is a queue stolen when one call comes after the other?",
        Question::TheftRace => "is a queue stolen by a mask write that meets an assignment?",
        Question::Deadlock => "do a mask write and an assignment deadlock?",
        Question::ProtectedGuestCycle => "does a guest deadlock when it becomes protected?",
        Question::SpuriousBusy => "is a call refused for no reason?",
    };
    Specimen {
        id: id.to_owned(),
        title: format!("{series}: {asks}"),
        cast: question.cast().iter().map(|&(name, does)| (name.to_owned(), does.to_owned())).collect(),
        question: Some((series, question)),
        mail: match question {
            Question::Deadlock => mail::DEADLOCK,
            Question::TheftRace => mail::THEFT,
            _ => &[],
        },
        program: program(series, question),
    }
}

/// A task of the merged protocol.
#[derive(Clone, Copy)]
enum Actor {
    Mask(Added),
    Assign(usize, Added),
    Scan,
    Start,
}

impl Specimen {
    /// Explores it. Violations are shown by an execution with the fewest context switches that keeps, if there is
    /// one, to the order of the mail's steps.
    pub fn explore(&mut self, explorer: &mut Explorer) -> Report {
        let mut report = explorer.run(&mut *self.program);
        for violation in &mut report.violations {
            tidy::tidy(explorer, &mut *self.program, violation, self.mail);
        }
        report
    }
}

impl Actor {
    fn act(self, model: &Model) -> String {
        let host = Host::new(model);
        returns(enter(|held| match self {
            Actor::Mask(added) => host.mask_write(held, added),
            Actor::Assign(mdev, added) => host.assign(held, mdev, added),
            Actor::Scan => {
                host.scan(held, 0);
                Ok(())
            }
            Actor::Start => {
                host.open(held, 0);
                Ok(())
            }
        }))
    }
}

const FIVE: Added = Added::Adapter(AdapterId(5));

const ACTORS: [(&str, &str, Actor); 6] = [
    ("BUS", "echo +5 > apmask", Actor::Mask(FIVE)),
    ("ADMIN", "echo 5 > assign_adapter", Actor::Assign(0, FIVE)),
    ("SCAN", "finds 05.0004 gone", Actor::Scan),
    ("GUEST", "starts with the first mdev", Actor::Start),
    ("ADMIN2", "echo 4 > assign_domain (second mdev)", Actor::Assign(1, Added::Domain(DomainId(4)))),
    ("BUS2", "echo +5 > aqmask", Actor::Mask(Added::Domain(DomainId(5)))),
];

/// The merged protocol with the first so many actors; with two of them, on the seed's scenario.
fn merged(id: &str, tasks: usize) -> Specimen {
    let setup = Rc::new(if tasks == 2 { Setup::of_adapters(&[5]) } else { wider() });
    let actors = &ACTORS[..tasks];
    let scene = |in_turn: bool| {
        let setup = setup.clone();
        let mut scene = Scene::new(move || Stage::new(&setup)).called(names::called);
        for &(name, _, actor) in actors {
            scene = scene.task(name, move |stage| stage.call(in_turn, |model| actor.act(model)));
        }
        scene
    };
    let in_order = in_order(&mut scene(true).state(|stage| stage.model.look().promised()));
    let names: Vec<&str> = actors.iter().map(|(name, ..)| *name).collect();
    let program = scene(false).state(|stage| stage.model.look().words()).check(move |stage, results| {
        let state = stage.model.look();
        [
            oracle::stolen(&state),
            oracle::reserved(&state),
            oracle::shared(&state),
            oracle::unfiltered(&state),
            oracle::unrevised(&state),
            oracle::spurious(&names, results, &in_order),
            oracle::in_no_order(results, &state, &in_order),
        ]
        .concat()
    });
    Specimen {
        id: id.to_owned(),
        title: format!("the merged protocol, P before everything: {tasks} calls at the same time"),
        cast: actors.iter().map(|(name, does, _)| ((*name).to_owned(), (*does).to_owned())).collect(),
        question: None,
        mail: &[],
        program: Box::new(program),
    }
}

/// An override is cleared while a guest has its queue, and a mask write clears a bit.
fn overridden(id: &str, asks: Asks) -> Specimen {
    const QUEUE: Apqn = Apqn::new(AdapterId(5), DomainId(4));
    let (adapters, domains) = (AdapterMask::single(QUEUE.adapter), DomainMask::single(QUEUE.domain));
    let setup = Rc::new(Setup {
        adapters: vec![QUEUE.adapter],
        domains: vec![QUEUE.domain],
        masks: Masks { adapters: AdapterMask::ALL, domains: DomainMask::ALL },
        mdevs: vec![Matrix { adapters, domains, ..Matrix::default() }],
        overrides: [QUEUE].into(),
        runs: true,
    });
    let stage = move || Stage::new(&setup);
    let scene = Scene::new(stage)
        .called(names::called)
        .task("ADMIN", move |stage| {
            stage.call(false, |model| {
                enter(|held| Newer::new(model, asks).clear_override(held, QUEUE));
                returns(Ok(()))
            })
        })
        .task("BUS", move |stage| {
            stage.call(false, |model| {
                returns(enter(|held| Newer::new(model, asks).mask_write(held, AdapterId(200))))
            })
        });
    let program = scene.state(|stage| stage.model.look().words()).check(move |stage, _| {
        let state = stage.model.look();
        [oracle::stolen(&state), oracle::unfiltered(&state)].concat()
    });
    let whose = match asks {
        Asks::AddedBits => "Linux 6.19 to 7.1, a mask write asks about the bits that it adds",
        Asks::WhatItTakes => "apmatrix, a mask write asks about what it takes, too",
    };
    let cast = [
        ("ADMIN", "echo > /sys/bus/ap/devices/05.0004/driver_override"),
        ("BUS", "echo -200 > /sys/bus/ap/apmask"),
    ];
    Specimen {
        id: id.to_owned(),
        title: format!("{whose}: is a queue stolen that was given by an override?"),
        cast: cast.map(|(name, does)| (name.to_owned(), does.to_owned())).to_vec(),
        question: None,
        mail: &[],
        program: Box::new(program),
    }
}

/// Two adapters, two domains; aqmask leaves the second domain to vfio_ap. One mdev has the domain of the queue
/// 05.0004, the other its adapter: each lacks one assignment to have it.
fn wider() -> Setup {
    Setup {
        adapters: vec![AdapterId(5), AdapterId(6)],
        domains: vec![DomainId(4), DomainId(5)],
        masks: Masks { adapters: AdapterMask::EMPTY, domains: DomainMask::ALL.without(DomainId(5)) },
        mdevs: vec![
            Matrix { domains: DomainMask::single(DomainId(4)), ..Matrix::default() },
            Matrix { adapters: AdapterMask::single(AdapterId(5)), ..Matrix::default() },
        ],
        overrides: BTreeSet::new(),
        runs: false,
    }
}
