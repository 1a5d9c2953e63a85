//! What the verbs of a control file are: one table for what they are called, what is said of them, and what they do.

use crate::control::error::ControlError;
use crate::nearest::meant;
use crate::tree::{Doing, Tree};

/// What a verb does with the words after it; `None` if they are not of a number that it takes.
pub(crate) type Run = fn(&Tree, &[&str], Doing) -> Result<Option<String>, ControlError>;

/// A verb of a control file.
pub struct Verb {
    /// The first word of its line.
    pub name: &'static str,
    /// The words that follow, as help writes them.
    pub arguments: &'static str,
    /// What it does, in a few words; empty if the name says it.
    pub help: &'static str,
    /// Whether help and messages leave it out: what programs write, not people.
    pub hidden: bool,
    pub(crate) run: Run,
}

/// A verb that people use.
pub(crate) const fn verb(name: &'static str, arguments: &'static str, help: &'static str, run: Run) -> Verb {
    Verb { name, arguments, help, hidden: false, run }
}

impl Verb {
    /// How many words it needs, as its help writes them: not what stands in brackets, and of alternatives the shortest.
    fn fewest(&self) -> usize {
        let needed = |one: &str| {
            let (mut depth, mut words) = (0_usize, 0);
            for word in one.split_ascii_whitespace() {
                words += usize::from(depth == 0 && !word.starts_with('['));
                depth += word.matches('[').count();
                depth = depth.saturating_sub(word.matches(']').count());
            }
            words
        };
        self.arguments.split(" | ").map(needed).min().unwrap_or(0)
    }

    /// The same, left out of help and messages.
    pub(crate) const fn hidden(mut self) -> Verb {
        self.hidden = true;
        self
    }
}

/// The verbs of one control file.
pub struct Verbs {
    /// What the file's command is called.
    pub command: &'static str,
    /// They, in the order of help.
    pub list: &'static [Verb],
}

impl Verbs {
    /// The verbs that people use.
    pub fn shown(&self) -> impl Iterator<Item = &'static Verb> {
        self.list.iter().filter(|verb| !verb.hidden)
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.shown().map(|verb| verb.name).collect()
    }

    /// A line of help for each: the verb, its arguments, and from column `column` on what it does.
    #[must_use]
    pub fn help(&self, column: usize) -> String {
        let mut text = String::new();
        for verb in self.shown() {
            let usage = format!("{} {}", verb.name, verb.arguments);
            text.push_str(format!("{usage:column$}{}", verb.help).trim_end());
            text.push('\n');
        }
        text
    }

    /// Which verbs were expected, for whoever wrote none of them.
    fn expected(&self) -> String {
        match self.names().as_slice() {
            [] => "expected nothing".to_owned(),
            [only] => format!("expected {only}"),
            [others @ .., last] => format!("expected {} or {last}", others.join(", ")),
        }
    }

    /// Carries out a line.
    ///
    /// # Errors
    /// `EINVAL` for a line without a known verb, or with a number of words that its verb doesn't take; and what the
    /// verb says.
    pub(crate) fn run(&self, tree: &Tree, line: &str, task: Doing) -> Result<String, ControlError> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let Some((name, arguments)) = words.split_first() else {
            return Err(ControlError::invalid(self.expected()));
        };
        let verb = self.list.iter().find(|verb| verb.name == *name).ok_or_else(|| self.unknown(name))?;
        match (verb.run)(tree, arguments, task)? {
            Some(answer) => Ok(answer),
            None if verb.hidden => Err(self.unknown(name)),
            None => {
                let given = match arguments.len() < verb.fewest() {
                    true => "needs more words",
                    false => "does not take these words",
                };
                let takes = if verb.arguments.is_empty() { "none" } else { verb.arguments };
                Err(ControlError::invalid(format!("`{} {name}` {given}: expected {takes}", self.command)))
            }
        }
    }

    fn unknown(&self, name: &str) -> ControlError {
        let near = meant(name, self.names());
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        ControlError::invalid(format!("`{name}` is no {} verb: {}{near}", self.command, self.expected()))
    }
}
