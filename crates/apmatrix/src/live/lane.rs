//! Calls that may not return for a long time: one at a time, each on a thread of its own.
//!
//! Knows nothing of hosts, nor of what a call does.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use ap_view::{Answer, Operation};

/// How long a call is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// A place for one call at a time.
pub(super) struct Lane {
    patience: Duration,
    waiting: Option<Waiting>,
}

/// A call that has not returned.
struct Waiting {
    operation: Operation,
    answer: Receiver<Result<String, String>>,
}

impl Default for Lane {
    fn default() -> Lane {
        Lane { patience: PATIENCE, waiting: None }
    }
}

impl Lane {
    /// Calls, and waits a little. While an earlier call has not returned, nothing is called.
    pub(super) fn call(
        &mut self,
        operation: &Operation,
        call: impl FnOnce() -> Result<String, String> + Send + 'static,
    ) -> Answer {
        if let Some(earlier) = &self.waiting {
            return Answer::Refused(format!(
                "not begun: `{}` has not returned yet; what it waits for has to go first",
                earlier.operation
            ));
        }
        let (tell, answer) = channel();
        thread::spawn(move || drop(tell.send(call())));
        match answer.recv_timeout(self.patience) {
            Ok(said) => said.map_or_else(Answer::Refused, Answer::Done),
            Err(RecvTimeoutError::Timeout) => {
                self.waiting = Some(Waiting { operation: operation.clone(), answer });
                Answer::Waits
            }
            Err(RecvTimeoutError::Disconnected) => Answer::Refused(ended(operation)),
        }
    }

    /// What became of the call that waited, as a line: once, when it has returned.
    pub(super) fn returned(&mut self) -> Option<String> {
        let Waiting { operation, answer } = self.waiting.as_ref()?;
        let line = match answer.try_recv() {
            Err(TryRecvError::Empty) => return None,
            Ok(Ok(said)) if said.trim().is_empty() => format!("{operation}: has returned, done"),
            Ok(Ok(said)) => format!("{operation}: has returned, done: {}", said.trim()),
            Ok(Err(why)) => format!("has returned, refused: {why}"),
            Err(TryRecvError::Disconnected) => ended(operation),
        };
        self.waiting = None;
        Some(line)
    }
}

fn ended(operation: &Operation) -> String {
    format!("{operation}: its thread has ended without an answer; this is a defect: please report it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_keeps_nobody_and_is_told_when_it_returns() {
        let mut lane = Lane { patience: Duration::from_millis(1), waiting: None };
        let operation = Operation::Hw("plug 4".to_owned());
        let (release, released) = channel::<()>();
        let waits = move || {
            let _ = released.recv();
            Err("hw plug 4: no".to_owned())
        };
        assert_eq!(lane.call(&operation, waits), Answer::Waits);
        assert_eq!(lane.returned(), None);
        let next = lane.call(&Operation::Hw("plug 5".to_owned()), || panic!("it is not called"));
        assert!(matches!(next, Answer::Refused(why) if why.contains("`hw plug 4` has not returned yet")));
        release.send(()).expect("it waits");
        let line = loop {
            if let Some(line) = lane.returned() {
                break line;
            }
            thread::yield_now();
        };
        assert_eq!(line, "has returned, refused: hw plug 4: no");
        assert_eq!(lane.returned(), None);
        lane.patience = Duration::from_secs(60);
        assert_eq!(lane.call(&operation, || Ok("6".to_owned())), Answer::Done("6".to_owned()));
        let panics = lane.call(&operation, || panic!("for the test"));
        assert!(matches!(panics, Answer::Refused(why) if why.contains("this is a defect")));
    }
}
