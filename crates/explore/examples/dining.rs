//! Dining philosophers, and two ways out: nothing here has to do with the field this project is about.
//!
//! `cargo run --release -p apmatrix-explore --example dining -- [PHILOSOPHERS]`

#![forbid(unsafe_code)]

use explore::{Explorer, Options, Report, Scene};
use locks::{Mutex, Unordered, enter};

locks::hierarchy! { mod order { Fork } }
use order::Fork;

type Table = Vec<Mutex<Fork, u32>>;

fn table(seats: u32) -> impl Fn() -> Table {
    move || (0..seats).map(|seat| Mutex::new(seat, 0)).collect()
}

/// Everybody takes the left fork, then the right one.
fn greedy(seats: usize) -> Scene<Table> {
    (0..seats).fold(Scene::new(table(seats as u32)), |scene, seat| {
        scene.task(format!("philosopher {seat}"), move |forks| {
            let token = Unordered::specimen();
            let mut left = forks[seat].lock_unordered(&token);
            let mut right = forks[(seat + 1) % forks.len()].lock_unordered(&token);
            *left += 1;
            *right += 1;
            "has eaten".to_owned()
        })
    })
}

/// Everybody takes the left fork, and puts it back if the right one is taken.
fn polite(seats: usize) -> Scene<Table> {
    (0..seats).fold(Scene::new(table(seats as u32)), |scene, seat| {
        scene.task(format!("philosopher {seat}"), move |forks| {
            let token = Unordered::specimen();
            let mut left = forks[seat].lock_unordered(&token);
            match forks[(seat + 1) % forks.len()].try_lock_unordered(&token) {
                None => "is hungry".to_owned(),
                Some(mut right) => {
                    *left += 1;
                    *right += 1;
                    "has eaten".to_owned()
                }
            }
        })
    })
}

/// Everybody takes both forks in the order of their numbers; no other order compiles.
fn ordered(seats: usize) -> Scene<Table> {
    (0..seats).fold(Scene::new(table(seats as u32)), |scene, seat| {
        scene.task(format!("philosopher {seat}"), move |forks| {
            enter(|held| {
                let (mut both, _held) =
                    Mutex::lock_all([&forks[seat], &forks[(seat + 1) % forks.len()]], held);
                both.iter_mut().for_each(|fork| **fork += 1);
                "has eaten".to_owned()
            })
        })
    })
}

fn print(name: &str, report: &Report) {
    println!(
        "{name}: {}{} ({} states, {} outcomes, {:.1} ms)",
        report.verdict,
        if report.exhausted { "" } else { ", not exhausted" },
        report.states,
        report.outcomes.len(),
        report.elapsed.as_secs_f64() * 1000.0,
    );
    for outcome in &report.outcomes {
        let eaten = outcome.results.iter().filter(|result| *result == "has eaten").count();
        println!("  {eaten} of {} have eaten, for example by {}", outcome.results.len(), outcome.schedule);
    }
    for violation in &report.violations {
        println!(
            "  {} with {} context switches, by {}",
            violation.finding.what, violation.switches, violation.schedule
        );
        for step in &violation.trace {
            println!("    {:<16} {:<10} {:<8} {}", step.name, step.step, step.object, step.at);
        }
        for waiting in violation.deadlock.iter().flat_map(|deadlock| &deadlock.cycle) {
            println!("    {:<16} waits for  {:<8} {}", waiting.name, waiting.object, waiting.at);
        }
    }
}

fn main() {
    let seats = std::env::args().nth(1).map_or(3, |text| text.parse().expect("PHILOSOPHERS is a number"));
    let mut explorer = Explorer::new(Options::default());
    print("greedy", &explorer.run(&mut greedy(seats)));
    print("polite", &explorer.run(&mut polite(seats)));
    print("ordered", &explorer.run(&mut ordered(seats)));
}
