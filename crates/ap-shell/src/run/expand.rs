//! Words to the texts that a command gets: variables, `$(…)`, splitting, patterns.
//!
//! It knows no command: the list of a `$(…)` is run by the context.

use super::context::{Context, Flow, MAX_FIELDS};
use super::glob::{Field, matching};
use super::output::MAX_BYTES;
use crate::ast::{Item, Part, Word};
use crate::outcome::Status;

/// Fields as they grow.
struct Fields {
    done: Vec<Field>,
    current: Option<Field>,
    /// Whether blanks in unquoted expansions separate fields.
    split: bool,
    bytes: usize,
}

impl Fields {
    fn new(split: bool) -> Fields {
        Fields { done: Vec::new(), current: None, split, bytes: 0 }
    }

    fn quoted(&mut self, text: &str) {
        self.bytes += text.len();
        self.current.get_or_insert_default().text.push_str(text);
    }

    fn patterned(&mut self, text: &str) {
        self.bytes += text.len();
        let field = self.current.get_or_insert_default();
        let start = field.text.len();
        field.wild.extend(text.match_indices(['*', '?']).map(|(at, _)| start + at));
        field.text.push_str(text);
    }

    /// The text of an unquoted expansion.
    fn expanded(&mut self, text: &str) {
        if !self.split {
            self.quoted(text);
            return;
        }
        let blank = |c: char| matches!(c, ' ' | '\t' | '\n');
        for (i, piece) in text.split(blank).enumerate() {
            if i > 0 {
                self.finish();
            }
            if !piece.is_empty() {
                self.patterned(piece);
            }
        }
    }

    fn finish(&mut self) {
        self.done.extend(self.current.take());
    }
}

/// All the texts that `words` expand to: with splitting and patterns.
pub(super) fn fields(context: &mut Context<'_>, words: &[Word]) -> Result<Vec<String>, Flow> {
    let mut texts = Vec::new();
    let mut bytes = 0;
    for word in words {
        let mut fields = Fields::new(true);
        expand(context, word, &mut fields, false)?;
        fields.finish();
        for field in fields.done {
            let start = texts.len();
            match matching(context, &field)? {
                Some(paths) => texts.extend(paths),
                None => texts.push(field.text),
            }
            bytes += texts[start..].iter().map(String::len).sum::<usize>();
            if bytes > MAX_BYTES || texts.len() > MAX_FIELDS {
                return Err(context.abort("the words of a command are too many or too long"));
            }
        }
    }
    context.charge_bytes(bytes)?;
    Ok(texts)
}

/// The one text that `word` expands to: without splitting and patterns.
pub(super) fn single(context: &mut Context<'_>, word: &Word) -> Result<String, Flow> {
    let mut fields = Fields::new(false);
    expand(context, word, &mut fields, false)?;
    Ok(fields.current.unwrap_or_default().text)
}

/// Appends what `word` expands to; `all_quoted` if it stands in double quotes.
fn expand(context: &mut Context<'_>, word: &Word, fields: &mut Fields, all_quoted: bool) -> Result<(), Flow> {
    for part in &word.parts {
        match part {
            Part::Bare(text) if !all_quoted => fields.patterned(text),
            Part::Bare(text) | Part::Quoted(text) => fields.quoted(text),
            Part::Variable { name, default, quoted } => {
                let quoted = *quoted || all_quoted;
                let value = context.state.value(name);
                match (value, default) {
                    (None, Some(default)) => expand(context, default, fields, quoted)?,
                    (Some(value), Some(default)) if value.is_empty() => {
                        expand(context, default, fields, quoted)?;
                    }
                    (None, None) if context.state.env.nounset => {
                        return Err(context.abort(&format!("{name}: parameter not set")));
                    }
                    (value, _) => append(fields, &value.unwrap_or_default(), quoted),
                }
            }
            Part::Substitution { list, quoted } => {
                let text = substitute(context, list)?;
                append(fields, &text, *quoted || all_quoted);
            }
        }
        if fields.bytes > MAX_BYTES {
            return Err(context.abort("a word is longer than 16 MiB"));
        }
    }
    context.charge_bytes(fields.bytes)
}

/// Runs `list` in a subshell; its output without the newlines at its end.
fn substitute(context: &mut Context<'_>, list: &[Item]) -> Result<String, Flow> {
    context.charge_bytes(context.state.env.size)?;
    let env = context.state.env.clone();
    let (channels, loops) = (context.output.channels(), context.loops);
    let first = context.output.depth();
    context.output.out = context.output.capture();
    context.loops = 0;
    let result = context.run_list(list);
    context.output.restore(channels);
    context.loops = loops;
    let bytes = context.output.collected(first).swap_remove(0);
    let status = match result {
        Ok(status) | Err(Flow::Exit(status) | Flow::Interrupted(status)) => status,
        Err(Flow::Break | Flow::Continue) => Status::OK,
    };
    context.state.env = env;
    context.substituted = Some(status);
    if context.exhausted() {
        return Err(Flow::Exit(status));
    }
    if bytes.len() > MAX_BYTES {
        return Err(context.abort("a substitution's output is longer than 16 MiB"));
    }
    // As shells do: NULs are dropped, and newlines at the end.
    let text = String::from_utf8_lossy(&bytes).replace('\0', "");
    Ok(text.trim_end_matches('\n').to_owned())
}

fn append(fields: &mut Fields, text: &str, quoted: bool) {
    if quoted {
        fields.quoted(text);
    } else {
        fields.expanded(text);
    }
}
