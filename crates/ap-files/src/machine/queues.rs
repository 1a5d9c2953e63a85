//! What a machine file says of single queues.

use std::collections::BTreeMap;

use ap_machine::{Fault, KeysChange, Pattern};
use ap_sysfs::control::command;
use ap_types::{Apqn, DomainMask, Mode, ResponseCode};
use toml::Spanned;

use super::format::{self, BindState};
use super::model::{Adapter, Queue, QueueState};
use crate::error::{Mistakes, Problem};
use crate::problem::twice;

/// The queues that are not as usual, ascending; `secure`: in a Secure Execution guest.
pub(super) fn queues(
    files: &[format::Queue],
    adapters: &[Adapter],
    domains: DomainMask,
    secure: bool,
    mistakes: &mut Mistakes,
) -> Vec<Queue> {
    let mut all = BTreeMap::new();
    for file in files {
        let Some(queue) = mistakes.ok(queue(file, adapters, domains, secure)) else { continue };
        let apqn = queue.apqn;
        if all.insert(apqn, queue).is_some() {
            mistakes.0.push(twice(file.apqn.span(), &format!("queue {apqn}")));
        }
    }
    all.into_values().collect()
}

fn queue(
    file: &format::Queue,
    adapters: &[Adapter],
    domains: DomainMask,
    secure: bool,
) -> Result<Queue, Problem> {
    let text = file.apqn.get_ref();
    let problem = |message: String, expected: &str| Err(Problem::new(file.apqn.span(), message, expected));
    let Ok(apqn) = text.parse::<Apqn>() else {
        let wrong = ap_sysfs::ids::queue(text).err();
        let remedy = wrong.filter(|wrong| wrong.remedy.starts_with("write")).map(|wrong| wrong.remedy);
        let expected = remedy.unwrap_or_else(|| "expected AA.DDDD in lower-case hex: \"05.0004\"".to_owned());
        return problem(format!("`{text}` is not a queue"), &expected);
    };
    let Some(adapter) = adapters.iter().find(|adapter| adapter.id == apqn.adapter) else {
        return problem(
            format!("there is no adapter {}", apqn.adapter.0),
            "expected a queue of this machine",
        );
    };
    if !domains.contains(apqn.domain) {
        return problem(format!("{} is no usage domain", apqn.domain.0), "expected a queue of this machine");
    }
    Ok(Queue { apqn, state: state(file)?, faults: faults(file, adapter.mode, secure)? })
}

fn state(file: &format::Queue) -> Result<QueueState, Problem> {
    Ok(match (file.state, &file.rc) {
        (Some(_), Some(rc)) => {
            return Err(Problem::new(rc.span(), "both `state` and `rc`", "expected only one of them"));
        }
        (None, Some(rc)) => QueueState::Answers(ResponseCode(*rc.get_ref())),
        (Some(format::QueueState::Ok) | None, None) => QueueState::Ok,
        (Some(format::QueueState::Deconfigured), None) => QueueState::Deconfigured,
        (Some(format::QueueState::Checkstopped), None) => QueueState::Checkstopped,
        (Some(format::QueueState::Absent), None) => QueueState::Absent,
    })
}

fn faults(file: &format::Queue, mode: Mode, secure: bool) -> Result<Vec<Fault>, Problem> {
    let mut faults = Vec::new();
    if let Some(bind) = &file.bind {
        let problem = |message: &str, expected: &str| Problem::new(bind.span(), message, expected);
        if !secure {
            let problem =
                problem("a bind state counts in a Secure Execution guest only", "expected none here");
            return Err(problem.help("add `se = true` to `[facilities]`"));
        }
        if !matches!(mode, Mode::Ep11 | Mode::Accelerator) {
            let expected = "expected a queue of an EP11 coprocessor or an accelerator";
            return Err(problem("queues of this adapter have no bind state", expected));
        }
        faults.push(Fault::BindState(match bind.get_ref() {
            BindState::Usable => 0,
            BindState::Bound => 1,
            BindState::Unbound => 2,
            BindState::Unusable => 3,
        }));
    }
    if let Some(keys) = &file.keys {
        let register = |text: &Option<Spanned<String>>| text.as_ref().map(pattern).transpose();
        faults.push(Fault::MasterKeys(KeysChange {
            new: register(&keys.new)?,
            current: register(&keys.current)?,
            old: register(&keys.old)?,
        }));
    }
    faults.extend(file.busy.map(Fault::Busy));
    faults.extend(file.rip.map(Fault::Resetting));
    faults.extend(file.resetlat.map(Fault::ResetLatency));
    faults.extend(file.irq.map(Fault::Interrupts));
    for (key, text) in [("zrc", &file.zrc), ("trc", &file.trc)] {
        let Some(text) = text else { continue };
        let fault = command::fault(key, text.get_ref()).map_err(|_| {
            Problem::new(text.span(), "not what resets and tests answer", "expected RC:COUNT: \"7:1\"")
        });
        faults.push(fault?);
    }
    Ok(faults)
}

/// A verification pattern.
fn pattern(text: &Spanned<String>) -> Result<Option<Pattern>, Problem> {
    let said = text.get_ref();
    if said == "none" {
        return Ok(None);
    }
    let digits = said.strip_prefix("0x").or_else(|| said.strip_prefix("0X"));
    let pattern = digits.filter(|digits| !digits.starts_with('+'));
    pattern.and_then(|digits| Pattern::from_str_radix(digits, 16).ok()).map(Some).ok_or_else(|| {
        Problem::new(
            text.span(),
            "not a verification pattern",
            "expected 0x and up to 16 hex digits, or \"none\"",
        )
    })
}
