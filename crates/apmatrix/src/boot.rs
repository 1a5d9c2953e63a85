//! Booting a machine in this process.

use ap_sysfs::{Called, Errno, Event, Filesystem, Session};

use crate::machine::{Machine, Step};
use crate::state;

/// How long after the last step work may still be under way, in milliseconds of machine time: resets, polls.
const SETTLE_MS: u64 = 500;

/// A step that the system refused. Machine files are checked, so it is a defect of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("booting: {step}: {reason}")]
pub struct BootError {
    /// What was to be done.
    pub step: String,
    /// What the system said.
    pub reason: String,
}

/// A booted machine: all modules loaded, all queues settled. What happened until then is forgotten.
///
/// # Errors
/// [`BootError`].
pub fn boot(machine: &Machine) -> Result<Session, BootError> {
    let mut session = Session::new();
    for step in machine.boot_steps() {
        carry_out(&mut session, &step).map_err(|reason| BootError { step: describe(&step), reason })?;
    }
    session.advance(SETTLE_MS);
    let _: Vec<Event> = session.events();
    session.changes();
    *session.tree().controls.state.borrow_mut() = Some(state::text(machine.name.clone()));
    Ok(session)
}

/// Builds the tree of a machine, on the thread that will serve it.
///
/// # Panics
/// If the machine does not boot: it was checked, so that is a defect of ours.
pub fn factory(machine: Machine) -> impl FnOnce() -> Box<dyn Filesystem> + Send + 'static {
    move || match boot(&machine) {
        Ok(session) => Box::new(session),
        Err(error) => panic!("{error}"),
    }
}

fn carry_out(session: &mut Session, step: &Step) -> Result<(), String> {
    let errno = |errno: Errno| errno.message().to_owned();
    match step {
        Step::Machine(command) => session.machine(command).map_err(|error| error.to_string()),
        Step::Insmod { module, params } => session.insmod(module, params).map_err(errno),
        Step::Write { path, data } => {
            let entry = session.resolve_following(path).map_err(errno)?;
            match session.store(entry.ino, data.as_bytes()) {
                Called::Done(stored) => stored.map(drop).map_err(errno),
                Called::Pending(_) => Err("it does not return".to_owned()),
            }
        }
        Step::Sleep(ms) => {
            session.advance(*ms);
            Ok(())
        }
    }
}

fn describe(step: &Step) -> String {
    match step {
        Step::Machine(command) => command.clone(),
        Step::Insmod { module, params } => format!("loading {module} {params}").trim_end().to_owned(),
        Step::Write { path, data } => format!("writing {} to {path}", data.trim_end()),
        Step::Sleep(ms) => format!("sleeping {ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::BUILT_IN;

    fn read(session: &mut Session, path: &str) -> String {
        let entry = session.resolve_following(path).expect("it is there");
        match session.show(entry.ino) {
            Called::Done(Ok(text)) => String::from_utf8(text).expect("text"),
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn built_in_machines_boot_with_all_queues_bound() {
        for built_in in BUILT_IN.iter().filter(|built_in| built_in.name != "max") {
            let machine = Machine::parse(built_in.name, built_in.text).expect("it is right");
            let mut session = boot(&machine).expect("it boots");
            let count = machine.queue_count();
            assert_eq!(read(&mut session, "/sys/bus/ap/bindings"), format!("{count}/{count} (complete)\n"));
            assert_eq!(read(&mut session, "/sys/bus/ap/features"), "APSC APXA QACT RC8A\n");
            assert_eq!(read(&mut session, "/sys/bus/ap/ap_interrupts"), "1\n");
        }
    }

    #[test]
    fn mdevs_and_masks_of_a_file_are_there() {
        let uuid = "62177883-f1bb-47f0-914d-32a22e3a8804";
        let text = format!(
            "schema = \"apmatrix.machine/1\"\ndomains = [4, 6]\napmask = \"-5\"\n\
             [[adapter]]\nids = \"5-6\"\ntype = \"CEX8P\"\n\
             [[queue]]\napqn = \"06.0006\"\nstate = \"absent\"\n\
             [[mdev]]\nuuid = \"{uuid}\"\nadapters = 5\ndomains = [4, 6]\ncontrol_domains = 4\n"
        );
        let machine = Machine::parse("m.toml", &text).expect("it is right");
        let mut session = boot(&machine).expect("it boots");
        let mdev = format!("/sys/devices/vfio_ap/matrix/{uuid}");
        assert_eq!(read(&mut session, &format!("{mdev}/guest_matrix")), "05.0004\n05.0006\n");
        assert_eq!(read(&mut session, &format!("{mdev}/control_domains")), "0004\n");
        assert_eq!(read(&mut session, "/sys/bus/ap/devices/05.0004/status"), "assigned\n");
        assert_eq!(read(&mut session, "/sys/bus/ap/devices/card06/serialnr"), "93AADX06\n");
        assert!(session.resolve("/sys/bus/ap/devices/06.0006").is_err());
        assert!(session.events().is_empty());
        let state = read(&mut session, "/sys/kernel/debug/apmatrix/state");
        let state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
        assert_eq!(state["machine"], "m");
        assert_eq!(state["mdevs"][0]["uuid"], uuid);
    }
}
