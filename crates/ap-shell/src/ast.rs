//! A parsed script: lists of commands, commands of words, words of parts.
//!
//! It knows neither how text becomes a script nor how one runs, nor which commands there are.

use std::sync::Arc;

use crate::outcome::{Status, Stream};
use crate::place::Place;

/// A parsed script, ready to run any number of times.
#[derive(Clone, Debug)]
pub struct Script {
    pub(crate) name: Arc<str>,
    pub(crate) list: List,
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

impl Tie {
    /// Whether a step that is tied so runs after `status`.
    pub fn follows(self, status: Status) -> bool {
        match self {
            Tie::First => true,
            Tie::And => status.is_ok(),
            Tie::Or => !status.is_ok(),
        }
    }
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
