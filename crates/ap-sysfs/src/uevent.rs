//! What the file `uevent` of a directory says, and what a write to it does. (Specification, pages 5 and 6, F10.)

use std::fmt::Write as _;

use ap_task::{Action, Subject, Uevent};
use ap_types::grammar::uuid;

use crate::errno::Errno;
use crate::tree::Doing;

/// So many variables an event has at most.
const MOST_VARIABLES: usize = 64;
/// So many bytes its variables take at most, each with the byte that ends it.
const MOST_BYTES: usize = 2048;
/// A number of the length that an event's usually has; the real one is given when the event is sent.
const SEQNUM: &str = "100";

/// What a read gives: the variables of a `change` event without ACTION, DEVPATH and SUBSYSTEM, a line each.
pub(crate) fn variables(subject: &Subject) -> Vec<u8> {
    let mut text = String::new();
    subject.variables(Action::Change, |key, value| {
        let _ = writeln!(text, "{key}={value}");
    });
    text.into_bytes()
}

/// What a write does: it sends the event of its first word about `subject`, with the variables that follow. A refused
/// one of a device is logged.
///
/// # Errors
/// `EINVAL` for a text that is not `ACTION` or `ACTION UUID [KEY=VALUE]…`, or has too many variables; `ENOMEM` if the
/// event would have too many with its own ones.
pub(crate) fn send(subject: Subject, data: &[u8], task: Doing) -> Result<(), Errno> {
    let name = subject.logged_as();
    let sent = parse(data).ok_or(Errno::EINVAL).and_then(|(action, extra)| {
        // What has no bus sends nothing.
        if matches!(subject, Subject::VfioRoot) {
            return Ok(());
        }
        let event = Uevent { action, subject, extra };
        let mut variables = event.env();
        variables.push(("ACTION".into(), action.word().into()));
        variables.push(("DEVPATH".into(), event.subject.devpath()));
        variables.push(("SEQNUM".into(), SEQNUM.into()));
        if !fit(&variables) {
            return Err(Errno::ENOMEM);
        }
        task.uevent_with(event.action, event.subject, event.extra);
        Ok(())
    });
    if let (Err(errno), Some(name)) = (sent, name) {
        task.log(3, format!("{name}: uevent: failed to send synthetic uevent: -{}", errno.number()));
    }
    sent
}

/// Whether an event has room for these variables.
fn fit(variables: &[(String, String)]) -> bool {
    let bytes: usize = variables.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
    variables.len() <= MOST_VARIABLES && bytes <= MOST_BYTES
}

fn parse(data: &[u8]) -> Option<(Action, Vec<(String, String)>)> {
    // A NUL is no part of an event, but for one at the very end.
    let text = match data {
        [text @ .., b'\n' | 0] => text,
        text => text,
    };
    let mut words = std::str::from_utf8(text).ok()?.split(' ');
    let action = Action::from_word(words.next()?)?;
    let Some(id) = words.next() else { return Some((action, vec![("SYNTH_UUID".into(), "0".into())])) };
    uuid(id.as_bytes()).ok().filter(|_| id.len() == 36)?;
    let mut extra = vec![("SYNTH_UUID".to_owned(), id.to_owned())];
    for word in words {
        let (key, value) = word.split_once('=')?;
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain(key) || !plain(value) {
            return None;
        }
        extra.push((format!("SYNTH_ARG_{key}"), value.to_owned()));
    }
    fit(&extra).then_some((action, extra))
}
