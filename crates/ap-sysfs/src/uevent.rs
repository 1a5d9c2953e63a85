//! What the file `uevent` of a directory says, and what a write to it does. (Specification, page 5.)

use std::fmt::Write as _;

use ap_task::{Action, Subject};
use ap_types::grammar::{device_name, uuid};

use crate::errno::Errno;
use crate::tree::Doing;

/// What a read gives: the variables of a `change` event without ACTION, DEVPATH and SUBSYSTEM, a line each.
pub(crate) fn variables(subject: &Subject) -> Vec<u8> {
    let mut text = String::new();
    subject.variables(Action::Change, |key, value| {
        let _ = writeln!(text, "{key}={value}");
    });
    text.into_bytes()
}

/// What a write does: it sends the event of its first word about `subject`, with the variables that follow.
///
/// # Errors
/// `EINVAL` for a text that is not `ACTION` or `ACTION UUID [KEY=VALUE]…`.
pub(crate) fn send(subject: Subject, data: &[u8], task: Doing) -> Result<(), Errno> {
    let (action, extra) = device_name(data).and_then(parse).ok_or(Errno::EINVAL)?;
    task.uevent_with(action, subject, extra);
    Ok(())
}

fn parse(text: &str) -> Option<(Action, Vec<(String, String)>)> {
    let mut words = text.split(' ');
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
    Some((action, extra))
}
