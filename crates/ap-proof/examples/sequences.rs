//! Explores an alphabet and prints what was found: `--example sequences -- core`.

#![forbid(unsafe_code)]

use std::time::Duration;

use ap_proof::sequences::{Options, alphabet, explore};

fn main() {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_else(|| "core".into());
    let depth = words.next().and_then(|word| word.parse().ok());
    let budget = words.next().and_then(|word| word.parse().ok()).map(Duration::from_secs);
    let stop_early = words.next().is_some();
    let alphabet = alphabet(&name).expect("core or whole");
    let mut last = 0;
    let report = explore(&alphabet, Options { depth, budget, stop_early }, &mut |progress| {
        let seconds = progress.time.as_secs();
        if seconds >= last + 5 {
            last = seconds;
            eprintln!("{progress:?}");
        }
    });
    println!(
        "{}: {} transitions, {} states, depth {}, closed {}, {:.0}/s, {:?}",
        report.alphabet,
        report.transitions,
        report.states,
        report.depth,
        report.closed,
        report.speed(),
        report.levels
    );
    for violation in &report.violations {
        println!(
            "\n{} {} x{} {}",
            violation.broken.law(),
            violation.known.map_or("-", |known| known.number()),
            violation.count,
            violation.broken
        );
        for operation in violation.beginning.iter().chain(&violation.sequence) {
            println!("  {operation}");
        }
    }
}
