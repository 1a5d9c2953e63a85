//! The table of the series: 36 variants, five questions each.

use core::time::Duration;

use explore::Options;

use crate::ask::{Answer, ask};
use crate::question::Question;
use crate::series::Series;

/// A variant with its answers.
#[derive(Clone, Debug)]
pub struct Row {
    /// The variant.
    pub series: Series,
    /// The answers, in the order of [`Question::ALL`].
    pub answers: [Answer; 5],
}

impl Row {
    /// The questions with their answers.
    pub fn iter(&self) -> impl Iterator<Item = (Question, &Answer)> {
        Question::ALL.into_iter().zip(&self.answers)
    }
}

/// All variants.
#[derive(Clone, Debug)]
pub struct Table {
    /// Prefix by prefix, trylock before blocking.
    pub rows: Vec<Row>,
}

impl Table {
    /// The answers that are not certain: nothing was found, and not everything was explored.
    pub fn unknown(&self) -> impl Iterator<Item = (Series, Question)> {
        self.pick(|_, _, answer| !answer.found && !answer.exhausted)
    }

    /// The answers that are not as the history expects.
    pub fn unexpected(&self) -> impl Iterator<Item = (Series, Question)> {
        self.pick(|series, question, answer| {
            (answer.found || answer.exhausted) && answer.found != series.expected(question)
        })
    }

    /// How many answers are certain, and as the history expects.
    #[must_use]
    pub fn as_expected(&self) -> usize {
        self.rows.len() * Question::ALL.len() - self.unknown().count() - self.unexpected().count()
    }

    fn pick(
        &self,
        which: impl Fn(Series, Question, &Answer) -> bool,
    ) -> impl Iterator<Item = (Series, Question)> {
        self.rows.iter().flat_map(move |row| {
            let picked = row.iter().filter(|(question, answer)| which(row.series, *question, answer));
            picked.map(|(question, _)| (row.series, question)).collect::<Vec<_>>()
        })
    }
}

/// Asks every question of every variant; `done` is told how many rows are finished, of how many.
///
/// `left` says how much time is left for all that is still to be asked: questions that no time is left for are
/// answered "not exhausted".
#[must_use]
pub fn table(left: impl Fn() -> Option<Duration>, mut done: impl FnMut(usize, usize)) -> Table {
    let variants: Vec<Series> = Series::all().collect();
    let mut rows = Vec::with_capacity(variants.len());
    for (index, &series) in variants.iter().enumerate() {
        done(index, variants.len());
        let answers = Question::ALL
            .map(|question| ask(series, question, &Options { budget: left(), ..Options::default() }));
        rows.push(Row { series, answers });
    }
    done(variants.len(), variants.len());
    Table { rows }
}
