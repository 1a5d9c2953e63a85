//! How long importing, planning (with the rehearsal on the twin) and applying take: `cargo run --release -p ap-apply
//! --example speed`. The figures are in `docs/performance.md`.

use std::time::{Duration, Instant};

use ap_apply::apply::{Options, Outcome, apply};
use ap_apply::import::import;
use ap_apply::memory::MemoryDesk;
use ap_apply::promises::rehearse;
use ap_apply::twin::Twin;
use ap_files::machine::{Mdev, built_in};
use ap_files::{MachineFile, boot};
use ap_plan::{Allow, Target, plan};
use ap_types::{AdapterId, AdapterMask, DomainMask, Matrix, Uuid};

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let answer = work();
    (answer, start.elapsed())
}

/// Sixteen mdevs with two adapters each, and all domains.
fn mdevs(machine: &MachineFile, first: u8, each: u8) -> Vec<Mdev> {
    let mdev = |n: u8| Mdev {
        uuid: Uuid([n + 1; 16]),
        matrix: Matrix {
            adapters: (0..each).map(|id| AdapterId(first + n * each + id)).collect(),
            domains: machine.domains,
            control_domains: DomainMask::EMPTY,
        },
        control_by_default: false,
    };
    (0..16).map(mdev).collect()
}

fn run(name: &str, first: u8, each: u8, applied: bool) {
    let Some(file) = built_in(name) else { return };
    let Ok(mut machine) = MachineFile::parse(name, file.text) else { return };
    let moved: AdapterMask = (0..16 * each).map(AdapterId).collect();
    machine.apmask = AdapterMask::ALL - moved;
    machine.mdevs = mdevs(&machine, 0, each);
    let Ok(mut host) = boot(&machine) else { return };
    let (before, importing) = timed(|| import(&mut host));
    let Ok(before) = before else { return };
    // All sixteen move on by some adapters: half of their queues come from the host, half of them go back.
    let mut target = Target::exactly(&before.state);
    let on: AdapterMask = (first..first + 16 * each).map(AdapterId).collect();
    target.masks.adapters = AdapterMask::ALL - on;
    target.mdevs = mdevs(&machine, first, each).iter().map(|mdev| (mdev.uuid, mdev.matrix)).collect();
    let (planned, planning) = timed(|| {
        let plan = plan(&before.state, &target, &Allow::default()).ok()?;
        let mut twin = Twin::of(&before).ok()?;
        let rehearsed = rehearse(&mut twin, &plan).map_err(|broken| eprintln!("{broken}")).ok()?;
        Some((plan, rehearsed))
    });
    let Some((plan, _)) = planned else {
        println!("{name}: no plan");
        return;
    };
    println!(
        "{name}: {} queues, {} writes, {} queues change hands: import {} ms, plan {} ms",
        machine.queue_count(),
        plan.steps.len(),
        plan.moved().len(),
        importing.as_millis(),
        planning.as_millis(),
    );
    if !applied {
        return;
    }
    let mut desk = MemoryDesk::new(1);
    let (applied, applying) = timed(|| apply(&mut host, &mut desk, &plan, &Options::default(), &mut |_| {}));
    let done = matches!(applied, Ok(Outcome::After { .. }));
    println!("{name}: apply {} ms (done: {done})", applying.as_millis());
}

fn main() {
    run("wide", 16, 2, true);
    run("max", 64, 8, false);
}
