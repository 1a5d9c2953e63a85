//! One sequence, judged operation by operation.

use ap_task::Kernel;

use crate::oracle::Broken;
use crate::sequences::bench::Bench;
use crate::sequences::judge::judge as judge_transition;
use crate::sequences::operation::Operation;
use crate::sequences::state::Ran;

/// Runs one sequence on the tiny machine with the default kernel; answers what does not hold, with the number of the
/// operation after which.
#[must_use]
pub fn judge(operations: &[Operation]) -> Vec<(usize, Broken)> {
    judge_on(Kernel::default(), operations)
}

/// The same with another kernel.
#[must_use]
pub fn judge_on(kernel: Kernel, operations: &[Operation]) -> Vec<(usize, Broken)> {
    let mut bench = Bench::new(kernel);
    let mut state = bench.take();
    let mut all = Vec::new();
    for (number, operation) in operations.iter().enumerate() {
        let mut found = Vec::new();
        match bench.run(operation, &state, &mut found) {
            Ran::Senseless => {}
            Ran::NotReturned(why) => {
                all.push((number, why.into()));
                return all;
            }
            Ran::Returned(returned) => {
                judge_transition(&state, operation, &returned, &bench.statuses(), &mut found);
                all.extend(found.into_iter().map(|broken| (number, broken)));
                state = returned.after;
            }
        }
    }
    all
}
