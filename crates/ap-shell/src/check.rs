//! What can be said of a script without running it: which of its commands there are not.
//!
//! It knows the parsed script and the names of the commands, and nothing of how either is run.

use ap_sysfs::nearest::meant;

use crate::ast::{Item, Node, Part, Script, Simple, Target, Word};
use crate::builtin;
use crate::place::Place;

/// A command that a script names and the shell does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCommand {
    /// Where it stands.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// The known command whose name comes nearest, if one is near.
    pub nearest: Option<&'static str>,
}

impl Script {
    /// The commands in it that do not exist, without running it: what a checker of scenario files wants to know.
    ///
    /// A command whose name is computed (`$X …`) is not looked at.
    #[must_use]
    pub fn unknown_commands(&self) -> Vec<UnknownCommand> {
        let mut found = Vec::new();
        in_list(&self.list, &mut found);
        found
    }
}

fn in_list(list: &[Item], found: &mut Vec<UnknownCommand>) {
    for step in list.iter().flat_map(|item| item.steps.iter()) {
        match &*step.command {
            Node::Simple(simple) => in_simple(simple, found),
            Node::For { words, body, .. } => {
                words.iter().for_each(|word| in_word(word, found));
                in_list(body, found);
            }
            Node::If { branches, otherwise } => {
                for (condition, body) in branches {
                    in_list(condition, found);
                    in_list(body, found);
                }
                in_list(otherwise, found);
            }
            Node::Group(body) => in_list(body, found),
        }
    }
}

fn in_simple(simple: &Simple, found: &mut Vec<UnknownCommand>) {
    let known = || builtin::commands().map(|command| command.name);
    if let Some(first) = simple.words.first()
        && let Some(name) = first.constant()
        && !known().any(|known| known == name)
    {
        let nearest = meant(&name, known());
        found.push(UnknownCommand { place: first.place, name, nearest });
    }
    simple.assignments.iter().for_each(|(_, value)| in_word(value, found));
    simple.words.iter().for_each(|word| in_word(word, found));
    for redirect in &simple.redirects {
        if let Target::Path(word) = &redirect.target {
            in_word(word, found);
        }
    }
}

fn in_word(word: &Word, found: &mut Vec<UnknownCommand>) {
    for part in &word.parts {
        match part {
            Part::Substitution { list, .. } => in_list(list, found),
            Part::Variable { default: Some(default), .. } => in_word(default, found),
            _ => {}
        }
    }
}
