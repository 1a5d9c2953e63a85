//! Which task takes each step, as a short text. This module knows nothing of what the steps are.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The tasks of an execution's steps, in order.
///
/// As text it is a list of runs of steps by one task, `task` or `taskxsteps`, joined by dots. `0x3.1x2.0` lets task 0
/// take three steps, task 1 two, and task 0 one more. A `+` says that it goes on so for ever. After a `~` there may be
/// a checksum of the steps themselves, by which a replay notices that it replays something else.
///
/// ```
/// use explore::Schedule;
///
/// let schedule: Schedule = "0x3.1x2.0".parse().unwrap();
/// assert_eq!(schedule.switches(), 2);
/// assert_eq!(schedule.to_string(), "0x3.1x2.0");
/// assert!("0x3.x".parse::<Schedule>().is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Schedule {
    tasks: Vec<u8>,
    endless: bool,
    checksum: Option<u16>,
}

/// A text that is not a schedule.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScheduleError {
    /// A part between dots is not a task with a number of steps.
    #[error("part {part} of the schedule, `{text}`, is not TASK or TASKxSTEPS")]
    Part {
        /// Which part it is, counted from 1.
        part: usize,
        /// The part's text.
        text: String,
    },
    /// What follows the `~` is not a checksum.
    #[error("the schedule ends with `~{text}`, which is not four hexadecimal digits")]
    Checksum {
        /// What follows the `~`.
        text: String,
    },
}

/// The most steps of one part: more can't be meant.
const LONGEST: usize = 1_000_000;

impl Schedule {
    pub(crate) fn new(tasks: Vec<u8>, checksum: Option<u16>) -> Self {
        Schedule { tasks, endless: false, checksum }
    }

    /// Makes it the schedule of an execution that goes on so for ever.
    pub(crate) fn endless(mut self) -> Self {
        self.endless = true;
        self
    }

    /// Whether the execution goes on for ever.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        self.endless
    }

    /// The task of each step.
    #[must_use]
    pub fn tasks(&self) -> &[u8] {
        &self.tasks
    }

    /// The checksum of the steps that were recorded, if it is known.
    #[must_use]
    pub fn checksum(&self) -> Option<u16> {
        self.checksum
    }

    /// How many context switches there are: consecutive steps by different tasks.
    #[must_use]
    pub fn switches(&self) -> u32 {
        self.tasks.windows(2).map(|pair| u32::from(pair[0] != pair[1])).sum()
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, run) in self.tasks.chunk_by(|a, b| a == b).enumerate() {
            let dot = if index == 0 { "" } else { "." };
            match run.len() {
                1 => write!(f, "{dot}{}", run[0])?,
                steps => write!(f, "{dot}{}x{steps}", run[0])?,
            }
        }
        if self.endless {
            f.write_str("+")?;
        }
        match self.checksum {
            Some(checksum) => write!(f, "~{checksum:04x}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let (runs, checksum) = match text.split_once('~') {
            None => (text, None),
            Some((runs, digits)) => {
                let plain = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                let checksum = plain.then(|| u16::from_str_radix(digits, 16).ok()).flatten();
                (runs, Some(checksum.ok_or_else(|| ScheduleError::Checksum { text: digits.to_owned() })?))
            }
        };
        let (runs, endless) = runs.strip_suffix('+').map_or((runs, false), |runs| (runs, true));
        let mut tasks = Vec::new();
        if !runs.is_empty() {
            for (index, run) in runs.split('.').enumerate() {
                let (task, steps) =
                    part(run).ok_or_else(|| ScheduleError::Part { part: index + 1, text: run.to_owned() })?;
                tasks.extend(std::iter::repeat_n(task, steps));
            }
        }
        Ok(Schedule { tasks, endless, checksum })
    }
}

fn part(text: &str) -> Option<(u8, usize)> {
    let number =
        |text: &str| text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let (task, steps) = text.split_once('x').unwrap_or((text, "1"));
    let (task, steps): (usize, usize) = (number(task)?, number(steps)?);
    (1..=LONGEST).contains(&steps).then_some((u8::try_from(task).ok()?, steps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_schedules_correspond() {
        for text in ["", "0", "0x2", "0.1.0", "3x12.0x3.15~00af", "0x3.1+", "1+~0001"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        assert_eq!("0.0.0x2".parse::<Schedule>().unwrap().to_string(), "0x4");
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in [
            ".",
            "0.",
            "x3",
            "0x",
            "0x0",
            "a",
            "0x-1",
            "+1",
            "256",
            "0x1000001",
            "0~",
            "0++",
            "+0",
            "0~1234+",
            "0~12",
            "0~zzzz",
            "~~1234",
        ] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }
}
