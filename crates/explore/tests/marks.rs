//! What a mark says of locks that are held is so, and looks that do more than look are reported.
//!
//! What of this does not compile: `crates/locks/tests/marks`.

use std::collections::BTreeSet;

use explore::{Audit, Explorer, Options, Report, Scene, Strategy, verdict};
use locks::{Clock, Condvar, Ghost, Mark, Mutex, RwLock, Tracked, Unordered, enter, marked};

locks::hierarchy! { mod order { A => R => C } }

struct World {
    a: Mutex<order::A, u32>,
    r: RwLock<order::R, u32>,
    c: Mutex<order::C, u32>,
    set: Condvar,
    clock: Clock,
    tracked: Tracked<u32>,
    ghost: Ghost<u32>,
}

impl World {
    fn new() -> Self {
        World {
            a: Mutex::new(0, 0),
            r: RwLock::new(0, 0),
            c: Mutex::new(0, 0),
            set: Condvar::new("set", 0u32),
            clock: Clock::new(0),
            tracked: Tracked::new("tracked", 0u32, 0),
            ghost: Ghost::new("ghost", 0u32, 0),
        }
    }

    /// Changes all that the other task takes, and meets it at `c`.
    fn sets(&self) -> String {
        enter(|held| {
            let (mut a, mut held) = self.a.lock(held);
            *a += 1;
            *self.r.write(&mut held).0 += 1;
            self.set.notify_all();
        });
        enter(|held| drop(self.c.lock(held)));
        String::new()
    }
}

fn scene(task: fn(&World, &mut Mark<'_>)) -> Scene<World> {
    Scene::new(World::new)
        .task("marks", move |world| {
            marked(|mark| task(world, mark));
            String::new()
        })
        .task("sets", World::sets)
        .state(|world| enter(|held| world.c.lock(held).0.to_string()))
}

fn explore(strategy: Strategy, audit: Audit, scene: &mut Scene<World>) -> Report {
    Explorer::new(Options { strategy, audit, ..Options::default() }).run(scene)
}

fn outcomes(report: &Report) -> BTreeSet<(Vec<String>, String)> {
    report.outcomes.iter().map(|outcome| (outcome.results.clone(), outcome.state.clone())).collect()
}

const ALL: Audit = Audit::Histories(1000);

/// Nothing is missed, and nobody is accused.
fn holds(task: fn(&World, &mut Mark<'_>)) {
    let all = outcomes(&explore(Strategy::Dpor, Audit::Off, &mut scene(task)));
    assert!(all.len() > 1, "what it held makes no difference");
    for strategy in [Strategy::StateCache, Strategy::EveryState] {
        let report = explore(strategy, ALL, &mut scene(task));
        assert_eq!((report.verdict, &report.why), (verdict::CLEAN, &None));
        assert_eq!(outcomes(&report), all, "{strategy:?}");
    }
}

/// The audit accuses the task; gives what it says.
fn accused(task: fn(&World, &mut Mark<'_>)) -> String {
    explore(Strategy::EveryState, ALL, &mut scene(task)).why.expect("nobody is accused")
}

#[test]
fn a_mutex_that_is_held_counts_with_its_contents() {
    holds(|world, mark| {
        enter(|held| {
            let (a, mut held) = world.a.lock(held);
            mark.only(|| 1);
            *world.c.lock(&mut held).0 = *a;
        });
    });
}

#[test]
fn a_reader_and_a_writer_count_with_their_contents() {
    holds(|world, mark| {
        enter(|held| {
            let (r, mut held) = world.r.read(held);
            mark.only(|| 1);
            *world.c.lock(&mut held).0 = *r;
        });
    });
    holds(|world, mark| {
        enter(|held| {
            let (r, mut held) = world.r.write(held);
            mark.only(|| 1);
            *world.c.lock(&mut held).0 = *r;
        });
    });
}

#[test]
fn a_mutex_that_was_taken_again_after_a_wait_counts_with_what_it_holds_then() {
    holds(|world, mark| {
        let token = Unordered::specimen();
        let mut a = world.a.lock_unordered(&token);
        if *a == 0 {
            a = world.set.wait(a);
            *a += 1;
        } else {
            *a = 7;
        }
        drop(a);
        let a = world.a.lock_unordered(&token);
        mark.only(|| 1);
        *world.c.lock_unordered(&token) = *a;
    });
}

#[test]
fn a_lock_that_was_taken_before_the_mark_counts_with_its_contents() {
    holds(|world, _| {
        enter(|held| {
            let (a, mut held) = world.a.lock(held);
            marked(|mark| {
                drop(world.r.read(&mut held));
                mark.only(|| 1);
                *world.c.lock(&mut held).0 = *a;
            });
        });
    });
}

#[test]
fn what_was_released_counts_no_more_and_who_uses_it_is_accused() {
    let said = accused(|world, mark| {
        let seen = enter(|held| *world.a.lock(held).0);
        mark.only(|| 1);
        enter(|held| *world.c.lock(held).0 = seen);
    });
    assert!(said.contains("leaves other contents in `C`"), "{said}");
}

#[test]
fn what_was_changed_under_a_lock_that_is_held_belongs_in_the_key() {
    fn change(world: &World, mark: &mut Mark<'_>, named: bool) {
        let token = Unordered::specimen();
        let seen = *world.a.lock_unordered(&token);
        let mut c = world.c.lock_unordered(&token);
        *c = seen;
        mark.only(|| if named { *c } else { 0 });
        world.clock.sleep(1);
    }
    let said = accused(|world, mark| change(world, mark, false));
    assert!(said.contains("leaves other contents in `C`"), "{said}");
    holds(|world, mark| change(world, mark, true));
}

/// The contents of a lock that is kept can't be used, so they do not tell states apart; the answer does.
#[test]
fn what_is_kept_counts_with_its_answer() {
    let states = |task| {
        let report = explore(Strategy::EveryState, ALL, &mut scene(task));
        assert_eq!((report.verdict, &report.why), (verdict::CLEAN, &None));
        report.states
    };
    let nothing = states(|world, _| {
        enter(|held| {
            let ((), _kept, _held) = world.a.look_and_keep(held, |_| ());
        });
        enter(|held| drop(world.c.lock(held)));
    });
    let all = states(|world, _| {
        enter(|held| {
            let (_, _kept, _held) = world.a.look_and_keep(held, |value| *value);
        });
        enter(|held| drop(world.c.lock(held)));
    });
    assert!(nothing < all, "{nothing} {all}");
    holds(|world, _| {
        enter(|held| {
            let (seen, _kept, mut held) = world.a.look_and_keep(held, |value| *value);
            *world.c.lock(&mut held).0 = seen;
        });
    });
}

/// A look promises that it only looks. What needs no token compiles in its closure all the same.
#[test]
fn a_look_that_takes_a_step_is_reported() {
    type Inside = fn(&World);
    let looks: [(&str, Inside); 6] = [
        ("read `tracked`", |world| world.tracked.with(|_| ())),
        ("write `tracked`", |world| world.tracked.with_mut(|value| *value = 1)),
        ("oracle `ghost`", |world| world.ghost.update(|value| *value = 1)),
        ("sleep", |world| world.clock.sleep(1)),
        ("notify `set`", |world| world.set.notify_all()),
        ("lock `C`", |world| drop(world.c.lock_unordered(&Unordered::specimen()))),
    ];
    for (step, inside) in looks {
        for strategy in [Strategy::StateCache, Strategy::EveryState, Strategy::Dpor, Strategy::Dfs] {
            for mutex in [true, false] {
                let mut scene = Scene::new(World::new)
                    .task("looks", move |world| {
                        enter(|held| {
                            if mutex {
                                world.a.look(held, |_| inside(world));
                            } else {
                                world.r.look(held, |_| inside(world));
                            }
                        });
                        String::new()
                    })
                    .task("sets", World::sets);
                let report = explore(strategy, Audit::Off, &mut scene);
                let lock = if mutex { "A" } else { "R" };
                let words = format!("task `looks` takes a step inside the look at `{lock}` at {}:", file!());
                let why = report.why.unwrap_or_default();
                assert!(why.starts_with(&words) && why.contains(step), "{step}, {strategy:?}: {why}");
                assert_ne!(report.verdict, verdict::CLEAN);
            }
        }
    }
}

#[test]
fn a_look_that_begins_at_the_root_panics() {
    let mut scene = Scene::new(World::new).task("looks", |world| {
        enter(|held| world.a.look(held, |_| enter(|held| drop(world.c.lock(held)))));
        String::new()
    });
    for strategy in [Strategy::StateCache, Strategy::Dpor] {
        let report = explore(strategy, Audit::Off, &mut scene);
        assert_eq!(report.verdict, verdict::PANIC, "{strategy:?}: {:?}", report.why);
    }
}

/// This is looked for where an audit is made by default: in builds with debug assertions.
#[cfg(debug_assertions)]
mod changes {
    use std::cell::Cell;
    use std::hash::{Hash, Hasher};

    use super::*;

    /// Contents that can be changed through a shared reference.
    struct Shared(Cell<u32>);

    impl Hash for Shared {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.get().hash(state);
        }
    }

    #[test]
    fn a_look_that_changes_what_it_sees_is_reported() {
        let changes = |mutex: bool| {
            let world = || {
                (
                    Mutex::<order::A, Shared>::new(0, Shared(Cell::new(0))),
                    RwLock::<order::R, Shared>::new(0, Shared(Cell::new(0))),
                )
            };
            let mut scene = Scene::new(world).task("looks", move |(a, r)| {
                enter(|held| {
                    if mutex {
                        a.look(held, |shared| shared.0.set(1));
                    } else {
                        r.look(held, |shared| shared.0.set(1));
                    }
                });
                String::new()
            });
            Explorer::new(Options::default()).run(&mut scene).why.unwrap_or_default()
        };
        for (lock, mutex) in [("A", true), ("R", false)] {
            let why = changes(mutex);
            let words = format!("the contents of `{lock}` changed while nobody held it");
            assert!(why.starts_with(&words) && why.ends_with("or it was changed by a look)"), "{why}");
        }
    }
}
