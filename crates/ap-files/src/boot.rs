//! Booting a machine in this process: what its file says is done to an empty machine, by typed calls.

use std::fmt;

use ap_host::{Module, ModuleError};
use ap_machine::Change;
use ap_sysfs::{Called, Event, Filesystem, Session};
use ap_types::{AdapterMask, DomainMask};
use ap_vfio::{AssignError, CreateError, OpenError};

use crate::machine::{Guest, MachineFile, Mdev};
use crate::state;

/// How long the first scan may take before the next module is loaded, in milliseconds of machine time: as when
/// transcripts were recorded.
const SCAN_MS: u64 = 500;

/// How long after the last step work may still be under way, in milliseconds of machine time: resets, polls.
const SETTLE_MS: u64 = 500;

/// Something that is done to an empty machine while it boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The machine's operator does this, one after the other, before the bus looks.
    Operate(Vec<Change>),
    /// A module is loaded. Its parameters are text to the module, too: it keeps them and shows them as they were given.
    Load(Module, String),
    /// So many milliseconds of machine time pass.
    Advance(u64),
    /// A mediated device is made, and its whole matrix assigned at once.
    Create(Mdev),
    /// A guest starts.
    Start(Guest),
}

impl fmt::Display for Step {
    /// What is done, as the beginning of a message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Operate(changes) => write!(f, "making the hardware ({} changes)", changes.len()),
            Step::Load(module, parameters) if parameters.is_empty() => write!(f, "loading {}", module.name()),
            Step::Load(module, parameters) => write!(f, "loading {} {parameters}", module.name()),
            Step::Advance(ms) => write!(f, "letting {ms} ms pass"),
            Step::Create(mdev) => write!(f, "making the mediated device {}", mdev.uuid),
            Step::Start(guest) => write!(f, "starting the guest {}", guest.name),
        }
    }
}

/// A step that the system refused. Machine files are checked for what it would refuse, so this is a defect of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("booting: {step}: {reason}")]
pub struct BootError {
    /// What was to be done.
    pub step: Box<Step>,
    /// What the system said.
    #[source]
    pub reason: Refusal,
}

/// What the system said to a step of a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A module was not loaded.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// A mediated device was not made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// A matrix was not assigned.
    #[error(transparent)]
    Assign(#[from] AssignError),
    /// A guest was not started.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The step panicked, or waits for something that never comes.
    #[error("it does not return")]
    Unfinished,
}

/// What makes an empty machine the one of the file, in order: hardware, modules, mediated devices, guests.
#[must_use]
pub fn steps(machine: &MachineFile) -> Vec<Step> {
    let mut steps = vec![Step::Operate(machine.hardware())];
    for module in Module::ALL {
        if module == Module::Ap {
            steps.push(Step::Load(module, bus_parameters(machine)));
            steps.push(Step::Advance(SCAN_MS));
        } else {
            steps.push(Step::Load(module, String::new()));
        }
    }
    steps.extend(machine.mdevs.iter().copied().map(Step::Create));
    steps.extend(machine.guests.iter().cloned().map(Step::Start));
    steps
}

/// The parameters of the module `ap`: the masks that are not all ones.
fn bus_parameters(machine: &MachineFile) -> String {
    let mut masks = Vec::new();
    if machine.apmask != AdapterMask::ALL {
        masks.push(format!("apmask={}", machine.apmask));
    }
    if machine.aqmask != DomainMask::ALL {
        masks.push(format!("aqmask={}", machine.aqmask));
    }
    masks.join(" ")
}

/// A booted machine: all modules loaded, all queues settled. What happened until then is forgotten.
///
/// # Errors
/// [`BootError`].
pub fn boot(machine: &MachineFile) -> Result<Session, BootError> {
    let mut session = Session::with_kernel(machine.kernel.kernel);
    boot_on(machine, &mut session)?;
    let _: Vec<Event> = session.events();
    session.changes();
    Ok(session)
}

/// Boots a machine on a session that has done nothing yet, and lets the queues settle. What happened is kept.
///
/// # Errors
/// [`BootError`].
pub fn boot_on(machine: &MachineFile, session: &mut Session) -> Result<(), BootError> {
    for step in steps(machine) {
        carry_out(session, &step).map_err(|reason| BootError { step: Box::new(step), reason })?;
    }
    session.advance(SETTLE_MS);
    *session.tree().controls.state.borrow_mut() = Some(state::text(machine.name.clone()));
    Ok(())
}

/// Builds the tree of a machine, on the thread that will serve it.
///
/// # Panics
/// If the machine does not boot: it was checked, so that is a defect of ours.
pub fn factory(machine: MachineFile) -> impl FnOnce() -> Box<dyn Filesystem> + Send + 'static {
    move || match boot(&machine) {
        Ok(session) => Box::new(session),
        Err(error) => panic!("{error}"),
    }
}

fn carry_out(session: &mut Session, step: &Step) -> Result<(), Refusal> {
    match step {
        Step::Operate(changes) => {
            let changes = changes.clone();
            done(session.call(move |tree, task| {
                changes.iter().for_each(|change| tree.machine.change(change, &mut task.at()));
                Ok(())
            }))
        }
        Step::Load(module, parameters) => {
            let (module, parameters) = (*module, parameters.clone());
            done(session.call(move |tree, task| Ok(tree.host.load_module(module, &parameters, task)?)))
        }
        Step::Advance(ms) => {
            session.advance(*ms);
            Ok(())
        }
        Step::Create(mdev) => {
            let Mdev { uuid, matrix, control_by_default: _ } = *mdev;
            done(session.call(move |tree, task| {
                let id = tree.host.vfio.create_mdev(uuid, task)?;
                Ok(tree.host.vfio.write_ap_config(&tree.host.bus, id, matrix, task)?)
            }))
        }
        Step::Start(guest) => {
            let Guest { name, mdev } = guest.clone();
            done(session.call(move |tree, task| Ok(tree.host.vfio.guest_open(&mdev, &name, task)?)))
        }
    }
}

/// What a step's call answered; one that has not returned yet never will.
fn done(called: Called<Result<(), Refusal>>) -> Result<(), Refusal> {
    match called {
        Called::Done(Ok(result)) => result,
        Called::Done(Err(_)) | Called::Pending(_) => Err(Refusal::Unfinished),
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
            let machine = MachineFile::parse(built_in.name, built_in.text).expect("it is right");
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
             [[mdev]]\nuuid = \"{uuid}\"\nadapters = 5\ndomains = [4, 6]\ncontrol_domains = 4\n\
             [[guest]]\nname = \"g1\"\nmdev = \"{uuid}\"\n"
        );
        let machine = MachineFile::parse("m.toml", &text).expect("it is right");
        let mut session = boot(&machine).expect("it boots");
        let mdev = format!("/sys/devices/vfio_ap/matrix/{uuid}");
        assert_eq!(read(&mut session, &format!("{mdev}/guest_matrix")), "05.0004\n05.0006\n");
        assert_eq!(read(&mut session, &format!("{mdev}/control_domains")), "0004\n");
        assert_eq!(read(&mut session, "/sys/bus/ap/devices/05.0004/status"), "in use\n");
        assert_eq!(session.guest("list").expect("a list"), format!("g1 {uuid}\n"));
        assert_eq!(read(&mut session, "/sys/bus/ap/devices/card06/serialnr"), "93AADX06\n");
        assert!(session.resolve("/sys/bus/ap/devices/06.0006").is_err());
        assert!(session.events().is_empty());
        let state = read(&mut session, "/sys/kernel/debug/apmatrix/state");
        let state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
        assert_eq!(state["machine"], "m");
        assert_eq!(state["mdevs"][0]["uuid"], uuid);
    }
}
