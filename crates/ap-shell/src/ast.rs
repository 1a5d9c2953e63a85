//! A parsed script.

use std::sync::Arc;

use crate::builtin;
use crate::nearest::nearest;
use crate::shell::Stream;

/// A place in a script's text, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// A parsed script, ready to run any number of times.
#[derive(Clone, Debug)]
pub struct Script {
    pub(crate) name: Arc<str>,
    pub(crate) list: List,
}

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
    /// The name under which it was parsed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it contains no command at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The commands in it that do not exist, without running it: what a checker of scenario files wants to know.
    ///
    /// A command whose name is computed (`$X …`) is not looked at.
    #[must_use]
    pub fn unknown_commands(&self) -> Vec<UnknownCommand> {
        let mut found = Vec::new();
        list_unknown(&self.list, &mut found);
        found
    }

    /// Where the first command stands that it puts into the background, outside `$(…)`.
    #[must_use]
    pub fn background(&self) -> Option<Place> {
        background(&self.list)
    }
}

fn background(list: &[Item]) -> Option<Place> {
    list.iter().find_map(|item| {
        let first = item.steps.first().map(|step| step.place);
        if item.background { first } else { item.steps.iter().find_map(|step| inside(&step.command)) }
    })
}

fn inside(node: &Node) -> Option<Place> {
    match node {
        Node::Simple(_) => None,
        Node::For { body, .. } | Node::Group(body) => background(body),
        Node::If { branches, otherwise } => branches
            .iter()
            .find_map(|(condition, body)| background(condition).or_else(|| background(body)))
            .or_else(|| background(otherwise)),
    }
}

fn list_unknown(list: &[Item], found: &mut Vec<UnknownCommand>) {
    for step in list.iter().flat_map(|item| item.steps.iter()) {
        match &*step.command {
            Node::Simple(simple) => {
                simple_unknown(simple, found);
            }
            Node::For { words, body, .. } => {
                words.iter().for_each(|word| word_unknown(word, found));
                list_unknown(body, found);
            }
            Node::If { branches, otherwise } => {
                for (condition, body) in branches {
                    list_unknown(condition, found);
                    list_unknown(body, found);
                }
                list_unknown(otherwise, found);
            }
            Node::Group(body) => list_unknown(body, found),
        }
    }
}

fn simple_unknown(simple: &Simple, found: &mut Vec<UnknownCommand>) {
    if let Some(first) = simple.words.first()
        && let Some(name) = first.constant()
        && builtin::find(&name).is_none()
    {
        let nearest = nearest(&name, builtin::names());
        found.push(UnknownCommand { place: first.place, name, nearest });
    }
    simple.assignments.iter().for_each(|(_, value)| word_unknown(value, found));
    simple.words.iter().for_each(|word| word_unknown(word, found));
    for redirect in &simple.redirects {
        if let Target::Path(word) = &redirect.target {
            word_unknown(word, found);
        }
    }
}

fn word_unknown(word: &Word, found: &mut Vec<UnknownCommand>) {
    for part in &word.parts {
        match part {
            Part::Substitution { list, .. } => list_unknown(list, found),
            Part::Variable { default: Some(default), .. } => word_unknown(default, found),
            _ => {}
        }
    }
}

/// Commands one after the other.
pub(crate) type List = Arc<[Item]>;

/// `a && b || c`, closed by `;`, a newline or `&`.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub steps: Arc<[Step]>,
    pub background: bool,
    pub source: Arc<str>,
}

/// How a step is tied to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tie {
    /// The first.
    First,
    /// After `&&`.
    And,
    /// After `||`.
    Or,
}

/// A command in an and-or list.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub tie: Tie,
    pub negated: bool,
    pub command: Arc<Node>,
    pub place: Place,
    pub source: Arc<str>,
}

/// A command.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Simple(Simple),
    For {
        variable: String,
        words: Vec<Word>,
        body: List,
    },
    /// Conditions with their bodies, and the body when none holds.
    If {
        branches: Vec<(List, List)>,
        otherwise: List,
    },
    Group(List),
}

/// Assignments, words and redirections: at least one of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Simple {
    pub assignments: Vec<(String, Word)>,
    pub words: Vec<Word>,
    pub redirects: Vec<Redirect>,
}

/// `> PATH`, `2>&1` and the like.
#[derive(Clone, Debug)]
pub(crate) struct Redirect {
    pub stream: Stream,
    pub target: Target,
}

/// Where a redirection leads.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Path(Word),
    Same(Stream),
}

/// A word before its expansion.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    pub parts: Vec<Part>,
    pub place: Place,
}

impl Word {
    /// Its text if nothing in it is quoted or expanded: only such a word can be a reserved one.
    pub fn bare(&self) -> Option<&str> {
        match &self.parts[..] {
            [Part::Bare(text)] => Some(text),
            _ => None,
        }
    }

    /// Its text if nothing in it is expanded, quoted or not.
    pub fn constant(&self) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Bare(text) if text.contains(['*', '?']) => None,
                Part::Bare(text) | Part::Quoted(text) => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }
}

/// A part of a word.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Text outside quotes: `*` and `?` in it are patterns.
    Bare(String),
    /// Text in quotes or after a backslash.
    Quoted(String),
    /// `$NAME`, `${NAME}`, `${NAME:-DEFAULT}`; the names `?` and `!` are the last status and the last job.
    Variable { name: String, default: Option<Box<Word>>, quoted: bool },
    /// `$(LIST)`.
    Substitution { list: List, quoted: bool },
}
