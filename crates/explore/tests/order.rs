//! The lock-order graph.

use explore::{Explorer, Options, Report, Scene};
use locks::{Condvar, Mutex, RwLock, Unordered};

locks::hierarchy! { mod order { Gate => A => R } }

struct World {
    gate: Mutex<order::Gate, u32>,
    locks: Vec<Mutex<order::A, u32>>,
    rw: RwLock<order::R, u32>,
    other: RwLock<order::R, u32>,
    changed: Condvar,
}

fn world() -> World {
    World {
        gate: Mutex::new(0, 0),
        locks: (0..3).map(|key: u32| Mutex::new(key, 0)).collect(),
        rw: RwLock::new(0, 0),
        other: RwLock::new(1, 0),
        changed: Condvar::new("changed", 0),
    }
}

fn run(mut scene: Scene<World>) -> Report {
    Explorer::new(Options::default()).run(&mut scene)
}

/// Takes two locks, one in the other, perhaps under the gate.
fn nested(first: usize, second: usize, gated: bool) -> impl Fn(&World) -> String {
    move |world| {
        let token = Unordered::specimen();
        let _gate = gated.then(|| world.gate.lock_unordered(&token));
        let _first = world.locks[first].lock_unordered(&token);
        let _second = world.locks[second].lock_unordered(&token);
        String::new()
    }
}

fn cycles(report: &Report) -> Vec<String> {
    let name = |cycle: &Vec<explore::OrderEdge>| {
        cycle.iter().map(|edge| edge.held_name.clone()).collect::<Vec<_>>().join(" < ")
    };
    report.lock_order.cycles.iter().map(name).collect()
}

#[test]
fn edges_name_locks_places_and_a_witness() {
    let report = run(Scene::new(world).task("one", nested(0, 1, true)));
    let edges: Vec<String> = report
        .lock_order
        .edges
        .iter()
        .map(|edge| format!("{} < {}", edge.held_name, edge.asked_name))
        .collect();
    assert_eq!(edges, ["Gate < A", "Gate < A 1", "A < A 1"]);
    let edge = &report.lock_order.edges[2];
    assert_eq!(edge.task, "one");
    assert!(edge.held_at.contains("order.rs:") && edge.asked_at.contains("order.rs:"));
    assert_eq!(edge.schedule.to_string(), "0x2");
    assert!(report.lock_order.cycles.is_empty());
}

#[test]
fn a_cycle_is_seen_also_where_no_deadlock_happens() {
    // One after the other, by what a lock protects: no interleaving deadlocks here, but another program's might.
    let report = run(Scene::new(world)
        .task("one", nested(0, 1, false))
        .task("two", |world| {
            let token = Unordered::specimen();
            let mut turn = world.gate.lock_unordered(&token);
            while *turn == 0 {
                turn = world.changed.wait(turn);
            }
            drop(turn);
            nested(1, 0, false)(world)
        })
        .task("three", |world| {
            let token = Unordered::specimen();
            // Lets `two` go on when `one` is done with both locks.
            let done = world.locks[1].try_lock_unordered(&token).is_some_and(|_| false);
            *world.gate.lock_unordered(&token) = 1 + u32::from(done);
            world.changed.notify_all();
            String::new()
        }));
    assert_eq!(cycles(&report), ["A < A 1"]);
}

#[test]
fn a_gate_keeps_a_cycle_from_being_one() {
    let report = run(Scene::new(world).task("one", nested(0, 1, true)).task("two", nested(1, 0, true)));
    assert_eq!(report.verdict, "clean");
    assert_eq!(cycles(&report), Vec::<String>::new());
    let report = run(Scene::new(world).task("one", nested(0, 1, true)).task("two", nested(1, 0, false)));
    assert_eq!(report.verdict, "deadlock");
    assert_eq!(cycles(&report), ["A < A 1"]);
}

#[test]
fn one_task_in_both_orders_is_no_cycle() {
    let report = run(Scene::new(world).task("both", |world| {
        nested(0, 1, false)(world);
        nested(1, 0, false)(world)
    }));
    assert_eq!(cycles(&report), Vec::<String>::new());
}

#[test]
fn three_locks_in_a_ring_are_a_cycle_of_three() {
    let ring = Scene::new(world)
        .task("a", nested(0, 1, false))
        .task("b", nested(1, 2, false))
        .task("c", nested(2, 0, false));
    assert_eq!(cycles(&run(ring)), ["A < A 1 < A 2"]);
}

#[test]
fn two_readers_do_not_wait_for_each_other() {
    let reads = |flip: bool, write: bool| {
        move |world: &World| {
            let token = Unordered::specimen();
            let (first, second) = if flip { (&world.rw, &world.other) } else { (&world.other, &world.rw) };
            let _first = first.read_unordered(&token);
            if write {
                drop(second.write_unordered(&token));
            } else {
                drop(second.read_unordered(&token));
            }
            String::new()
        }
    };
    let report = run(Scene::new(world).task("one", reads(false, false)).task("two", reads(true, false)));
    assert_eq!((report.verdict, cycles(&report).len()), ("clean", 0));
    let report = run(Scene::new(world).task("one", reads(false, true)).task("two", reads(true, true)));
    assert_eq!((report.verdict, cycles(&report).len()), ("deadlock", 1));
}

#[test]
fn a_wait_asks_for_its_mutex_again() {
    // `waits` holds A 1 while it takes A again: A 1 < A, though it took A first.
    let report = run(Scene::new(world)
        .task("waits", |world| {
            let token = Unordered::specimen();
            let outer = world.locks[0].lock_unordered(&token);
            let _inner = world.locks[1].lock_unordered(&token);
            if *outer == 0 {
                drop(world.changed.wait(outer));
            }
            String::new()
        })
        .task("notifies", |world| {
            let token = Unordered::specimen();
            *world.locks[0].lock_unordered(&token) = 1;
            world.changed.notify_all();
            String::new()
        }));
    let edges: Vec<String> = report
        .lock_order
        .edges
        .iter()
        .map(|edge| format!("{} < {}", edge.held_name, edge.asked_name))
        .collect();
    assert_eq!(edges, ["A < A 1", "A 1 < A"]);
}
