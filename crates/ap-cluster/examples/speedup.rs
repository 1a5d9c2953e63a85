//! How much faster several workers are than one.
//!
//! `cargo run --release -p ap-cluster --example speedup -- [ALPHABET [DEPTH [WORKERS [PAIRS]]]]`
//!
//! One worker and several take turns, so that a machine that becomes slower meanwhile does so to both; what counts is
//! the median of the pairs' ratios. Each search must find the same.

use std::error::Error;
use std::sync::Arc;

use ap_cluster::{Wanted, search};
use ap_proof::sequences::{Report, alphabet};

/// The argument of that number, or what is meant without it.
fn argument<T: std::str::FromStr<Err: Error + 'static>>(
    number: usize,
    else_: T,
) -> Result<T, Box<dyn Error>> {
    std::env::args().nth(number).map_or(Ok(else_), |text| Ok(text.parse()?))
}

fn main() -> Result<(), Box<dyn Error>> {
    let name: String = argument(1, "core".to_owned())?;
    let alphabet = Arc::new(alphabet(&name).ok_or_else(|| format!("there is no alphabet `{name}`"))?);
    let depth = argument(2, alphabet.depth.unwrap_or(u32::MAX))?;
    let (several, pairs): (usize, usize) = (argument(3, 2)?, argument(4, 5)?);
    let run = |workers: usize| -> Result<Report, Box<dyn Error>> {
        let wanted = Wanted::of(alphabet.clone());
        Ok(search(Wanted { depth: Some(depth), workers: Some(workers), ..wanted }, &mut |_| {})?)
    };
    let mut ratios = Vec::new();
    for pair in 0..pairs.max(1) {
        // Whoever comes second finds the machine as the first one left it.
        let (one, all) = if pair % 2 == 0 {
            let one = run(1)?;
            (one, run(several)?)
        } else {
            let all = run(several)?;
            (run(1)?, all)
        };
        let found =
            |report: &Report| (report.states, report.transitions, report.levels.clone(), report.verdict());
        if found(&one) != found(&all) {
            return Err(
                format!("one worker finds {:?}, {several} find {:?}", found(&one), found(&all)).into()
            );
        }
        let (one_s, all_s) = (one.time.as_secs_f64(), all.time.as_secs_f64());
        println!(
            "{name}: {} states, {} transitions: 1 worker {one_s:.2} s, {several} workers {all_s:.2} s: {:.2} times",
            one.states,
            one.transitions,
            one_s / all_s
        );
        ratios.push(one_s / all_s);
    }
    ratios.sort_by(f64::total_cmp);
    println!("median of {}: {:.2} times as fast", ratios.len(), ratios[ratios.len() / 2]);
    Ok(())
}
