//! Redirections: one open and one write with all of a command's output.

use crate::ast::{Redirect, Target};
use crate::job::Parked;
use crate::run::{Channel, Flow, Interp, MAX_BYTES, Ran};
use crate::shell::{Status, Stream};
use crate::world::{Failure, Written};

/// A redirection whose path is known.
pub(crate) struct Place {
    stream: Stream,
    to: To,
}

enum To {
    Path(String),
    Same(Stream),
    Null,
}

/// A path that output is collected for.
struct Collected {
    path: String,
    buffer: usize,
}

impl Interp<'_> {
    /// Expands the redirections; `None` if one is ambiguous, which was said.
    pub fn targets(&mut self, redirects: &[Redirect]) -> Result<Option<Vec<Place>>, Flow> {
        let mut places = Vec::new();
        for redirect in redirects {
            let to = match &redirect.target {
                Target::Same(stream) => To::Same(*stream),
                Target::Path(word) => {
                    let mut fields = self.fields(std::slice::from_ref(word))?;
                    match (fields.len(), fields.pop()) {
                        (1, Some(path)) if path == "/dev/null" => To::Null,
                        (1, Some(path)) => To::Path(path),
                        (0, _) => {
                            self.complain("sh: ambiguous redirect: the path expands to nothing");
                            return Ok(None);
                        }
                        (count, _) => {
                            self.complain(&format!(
                                "sh: ambiguous redirect: the path expands to {count} words"
                            ));
                            return Ok(None);
                        }
                    }
                }
            };
            places.push(Place { stream: redirect.stream, to });
        }
        Ok(Some(places))
    }

    /// Runs `command` with its output going where `places` say.
    ///
    /// `name` is what messages call it. A command with effects does not run if a path cannot be opened.
    pub fn redirected(
        &mut self,
        places: Vec<Place>,
        name: &str,
        effects: bool,
        command: impl FnOnce(&mut Self) -> Result<Status, Flow>,
    ) -> Result<Ran, Flow> {
        let (out, err, first) = (self.out, self.err, self.buffers.len());
        let mut collected = Vec::new();
        for place in places {
            let channel = match place.to {
                To::Null => Channel::Drop,
                To::Same(Stream::Out) => self.out,
                To::Same(Stream::Err) => self.err,
                To::Path(path) => {
                    self.buffers.push(Vec::new());
                    collected.push(Collected { path, buffer: self.buffers.len() - 1 });
                    Channel::Capture(self.buffers.len() - 1)
                }
            };
            match place.stream {
                Stream::Out => self.out = channel,
                Stream::Err => self.err = channel,
            }
        }
        let (inner_out, inner_err) = (self.out, self.err);
        (self.out, self.err) = (out, err);
        let opened = effects || collected.len() > 1;
        if opened {
            for Collected { path, .. } in &collected {
                if let Written::Done(Err(failure)) = self.write(path, b"") {
                    self.buffers.truncate(first);
                    return Ok(Ran::Done(self.write_failed("sh", path, failure)));
                }
            }
        }
        (self.out, self.err) = (inner_out, inner_err);
        let result = command(self);
        (self.out, self.err) = (out, err);
        let buffers = self.buffers.split_off(first);
        let mut ran = Ran::Done(result?);
        for Collected { path, buffer } in collected {
            let data = &buffers[buffer - first];
            if opened && data.is_empty() {
                continue;
            }
            ran = self.deliver(ran, name, path, data)?;
        }
        Ok(ran)
    }

    /// Writes what was collected; the status becomes the write's if that fails.
    fn deliver(&mut self, ran: Ran, name: &str, path: String, data: &[u8]) -> Result<Ran, Flow> {
        let status = match ran {
            Ran::Done(status) => status,
            Ran::Pending(parked) => self.settle(parked, "a write before"),
        };
        if data.len() > MAX_BYTES {
            return Err(self.abort("more than 16 MiB of output for a file"));
        }
        Ok(match self.write(&path, data) {
            Written::Done(Ok(_)) => Ran::Done(status),
            Written::Done(Err(failure)) => Ran::Done(self.write_failed(name, &path, failure)),
            Written::Pending(job) => Ran::Pending(Parked { job, command: name.to_owned(), path, status }),
        })
    }

    /// Says that a write failed.
    pub fn write_failed(&mut self, command: &str, path: &str, failure: Failure) -> Status {
        let Failure { errno, at_open } = failure;
        if at_open {
            self.complain(&format!("sh: cannot create {path}: {errno}"));
        } else {
            self.complain(&format!("{command}: write error: {errno}"));
        }
        Status::failed(errno)
    }
}
