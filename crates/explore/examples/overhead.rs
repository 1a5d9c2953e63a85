//! What the hook costs where there is none: lock and unlock against `std::sync::Mutex`, in alternating slices.
//!
//! `cargo run --release -p apmatrix-explore --example overhead`. Slices are short and take turns, so that a busy machine
//! disturbs both alike; each line is a round, and the last the median of the rounds.

#![forbid(unsafe_code)]

use std::hint::black_box;
use std::time::Instant;

use locks::{Held, Mutex, enter};

locks::hierarchy! { mod order { Only } }

const ROUNDS: usize = 5;
const SLICES: usize = 400;
const STEPS: u32 = 20_000;

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn slice(mut step: impl FnMut()) -> f64 {
    let started = Instant::now();
    for _ in 0..STEPS {
        step();
    }
    started.elapsed().as_secs_f64() * 1e9 / f64::from(STEPS)
}

fn round<L>(
    theirs: &std::sync::Mutex<u64>,
    ours: &Mutex<order::Only, u64>,
    held: &mut Held<'_, L>,
) -> (f64, f64)
where
    order::Only: locks::After<L>,
{
    let (mut their, mut our) = (Vec::new(), Vec::new());
    for _ in 0..SLICES {
        their.push(slice(|| *black_box(theirs).lock().unwrap() += 1));
        our.push(slice(|| *black_box(ours).lock(held).0 += 1));
    }
    (median(their), median(our))
}

fn main() {
    let theirs = std::sync::Mutex::new(0u64);
    let ours = Mutex::<order::Only, u64>::new(0, 0);
    let rounds: Vec<(f64, f64)> = enter(|held| (0..ROUNDS).map(|_| round(&theirs, &ours, held)).collect());
    for (their, our) in &rounds {
        println!("std {their:.2} ns, locks {our:.2} ns: {:.3}", our / their);
    }
    println!("median: {:.3}", median(rounds.iter().map(|(their, our)| our / their).collect()));
}
