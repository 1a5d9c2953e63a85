//! Words to the texts that a command gets.

use crate::ast::{Item, Part, Word};
use crate::run::{Channel, Flow, Interp, MAX_BYTES};
use crate::shell::Status;

/// How many words a command may have.
pub(crate) const MAX_FIELDS: usize = 1 << 18;

/// A text, and where in it there are patterns.
#[derive(Default)]
pub(crate) struct Field {
    pub text: String,
    /// Byte offsets of `*` and `?` that stand for other characters.
    pub wild: Vec<usize>,
}

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

impl Interp<'_> {
    /// All the texts that `words` expand to: with splitting and patterns.
    pub fn fields(&mut self, words: &[Word]) -> Result<Vec<String>, Flow> {
        let mut texts = Vec::new();
        let mut bytes = 0;
        for word in words {
            let mut fields = Fields::new(true);
            self.expand(word, &mut fields, false)?;
            fields.finish();
            for field in fields.done {
                let start = texts.len();
                match self.matching(&field)? {
                    Some(paths) => texts.extend(paths),
                    None => texts.push(field.text),
                }
                bytes += texts[start..].iter().map(String::len).sum::<usize>();
                if bytes > MAX_BYTES || texts.len() > MAX_FIELDS {
                    return Err(self.abort("the words of a command are too many or too long"));
                }
            }
        }
        self.charge_bytes(bytes)?;
        Ok(texts)
    }

    /// The one text that `word` expands to: without splitting and patterns.
    pub fn single(&mut self, word: &Word) -> Result<String, Flow> {
        let mut fields = Fields::new(false);
        self.expand(word, &mut fields, false)?;
        Ok(fields.current.unwrap_or_default().text)
    }

    /// Appends what `word` expands to; `all_quoted` if it stands in double quotes.
    fn expand(&mut self, word: &Word, fields: &mut Fields, all_quoted: bool) -> Result<(), Flow> {
        for part in &word.parts {
            match part {
                Part::Bare(text) if !all_quoted => fields.patterned(text),
                Part::Bare(text) | Part::Quoted(text) => fields.quoted(text),
                Part::Variable { name, default, quoted } => {
                    let quoted = *quoted || all_quoted;
                    let value = self.value(name);
                    match (value, default) {
                        (None, Some(default)) => self.expand(default, fields, quoted)?,
                        (Some(value), Some(default)) if value.is_empty() => {
                            self.expand(default, fields, quoted)?;
                        }
                        (None, None) if self.state.env.nounset => {
                            return Err(self.abort(&format!("{name}: parameter not set")));
                        }
                        (value, _) => append(fields, &value.unwrap_or_default(), quoted),
                    }
                }
                Part::Substitution { list, quoted } => {
                    let text = self.substitute(list)?;
                    append(fields, &text, *quoted || all_quoted);
                }
            }
            if fields.bytes > MAX_BYTES {
                return Err(self.abort("a word is longer than 16 MiB"));
            }
        }
        self.charge_bytes(fields.bytes)
    }

    fn value(&self, name: &str) -> Option<String> {
        match name {
            "?" => Some(self.state.env.last.code.to_string()),
            "!" => (self.state.last_job > 0).then(|| self.state.last_job.to_string()),
            _ => self.state.env.variables.get(name).cloned(),
        }
    }

    /// Runs `list` in a subshell; its output without the newlines at its end.
    fn substitute(&mut self, list: &[Item]) -> Result<String, Flow> {
        self.charge_bytes(self.state.env.size)?;
        let env = self.state.env.clone();
        let (out, loops) = (self.out, self.loops);
        self.buffers.push(Vec::new());
        self.out = Channel::Capture(self.buffers.len() - 1);
        self.loops = 0;
        let result = self.list(list);
        (self.out, self.loops) = (out, loops);
        let bytes = self.buffers.pop().unwrap_or_default();
        let status = match result {
            Ok(status) | Err(Flow::Exit(status)) => status,
            Err(Flow::Break | Flow::Continue) => Status::OK,
        };
        self.state.env = env;
        self.substituted = Some(status);
        if self.exhausted() {
            return Err(Flow::Exit(status));
        }
        if bytes.len() > MAX_BYTES {
            return Err(self.abort("a substitution's output is longer than 16 MiB"));
        }
        // As shells do: NULs are dropped, and newlines at the end.
        let text = String::from_utf8_lossy(&bytes).replace('\0', "");
        Ok(text.trim_end_matches('\n').to_owned())
    }
}

fn append(fields: &mut Fields, text: &str, quoted: bool) {
    if quoted {
        fields.quoted(text);
    } else {
        fields.expanded(text);
    }
}
