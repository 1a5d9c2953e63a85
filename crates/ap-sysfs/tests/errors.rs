//! Each error number once, where it reaches a front end; and every error of the system has one.

mod support;

use ap_bus::bind::BindError;
use ap_bus::queue::ResetError;
use ap_bus::secure::SecureError;
use ap_bus::zcdn::NodeError;
use ap_bus::zcrypt::OnlineError;
use ap_bus::{AskError, DomainError, ParameterError};
use ap_host::module::ModuleError;
use ap_sysfs::control::ControlError;
use ap_sysfs::{Called, Errno, Filesystem, Ino, Token};
use ap_types::NumberError;
use ap_vfio::{AssignError, CreateError, OpenError, ResetFailed, UnbindMdevError};
use support::Rig;

#[test]
fn each_error_number_reaches_the_front() {
    let mut rig = Rig::boot(support::SMALL, "apmask=+10");
    rig.run(
        "
        TYPE/create <- $M1
        TYPE/create <- $M2
        TYPE/create <- $M1 ! EEXIST
        TYPE/create <- nonsense ! EINVAL
        AP/nothing ! ENOENT
        AP/apmask/more ! ENOTDIR
        AP/features <- 1 ! EACCES
        AP/drivers/vfio_ap/bind <- 0a.0006 ! EBUSY
        AP/drivers/vfio_ap/unbind <- 0a.0006 ! ENODEV
        AP/poll_timeout <- 18446744073709551616 ! ERANGE
        AP/poll_timeout <- 120000000001 ! EINVAL
        M1/assign_adapter <- 4
        M1/assign_domain <- 6
        M1/assign_adapter <- 10 ! EADDRNOTAVAIL
        M2/assign_adapter <- 4
        M2/assign_domain <- 6 ! EADDRINUSE
        open 1 g1
        open 2 g1 ! EPERM
        AP/apmask <- +4 ! EBUSY
        unload ap ! EAGAIN
        load nothing ! ENOENT
        hw q 4 6 zrc=1:1000
        reset 1 ! EIO
        /sys/kernel/debug/apmatrix/state ! EOPNOTSUPP
        ",
    );
    let mut create = Ok(0);
    for n in 0..257 {
        create = rig.write("/sys/class/zcrypt/create", format!("node{n}").as_bytes());
    }
    assert_eq!(create, Err(Errno::ENOSPC));
}

#[test]
fn numbers_that_are_no_attributes_are_refused() {
    let mut rig = Rig::boot(support::SMALL, "");
    let directory = rig.session.resolve("/sys/bus/ap").unwrap().ino;
    assert_eq!(rig.session.show(directory), Called::Done(Err(Errno::EISDIR)));
    assert_eq!(rig.session.store(directory, b"1"), Called::Done(Err(Errno::EISDIR)));
    let file = rig.session.resolve("/sys/bus/ap/apmask").unwrap().ino;
    assert_eq!(rig.session.readlink(file), Err(Errno::EINVAL));
    assert_eq!(rig.session.entries(file), Err(Errno::ENOTDIR));
    let bind = rig.session.resolve("/sys/bus/ap/drivers/vfio_ap/bind").unwrap().ino;
    assert_eq!(rig.session.show(bind), Called::Done(Err(Errno::EIO)));
    let features = rig.session.resolve("/sys/bus/ap/features").unwrap().ino;
    assert_eq!(rig.session.store(features, b"1"), Called::Done(Err(Errno::EIO)));
    for number in [0xff << 56, u64::MAX] {
        assert_eq!(rig.session.entry(Ino(number)), Err(Errno::ENOENT), "{number:x}");
        assert_eq!(rig.session.parent(Ino(number)), Err(Errno::ENOENT), "{number:x}");
    }
}

#[test]
fn every_error_has_its_number() {
    fn is<E>(errors: impl IntoIterator<Item = (E, Errno)>)
    where
        Errno: From<E>,
    {
        errors.into_iter().for_each(|(error, errno)| assert_eq!(Errno::from(error), errno));
    }
    is([
        (AssignError::TooHigh, Errno::ENODEV),
        (AssignError::Gone, Errno::ENODEV),
        (AssignError::Reserved, Errno::EADDRNOTAVAIL),
        (AssignError::Shared, Errno::EADDRINUSE),
    ]);
    is([
        (BindError::NoDevice, Errno::ENODEV),
        (BindError::Refused, Errno::ENODEV),
        (BindError::Bound, Errno::EBUSY),
    ]);
    is([
        (ModuleError::Loaded, Errno::EEXIST),
        (ModuleError::NotLoaded, Errno::ENOENT),
        (ModuleError::NoInstructions, Errno::ENODEV),
        (ModuleError::InUse, Errno::EAGAIN),
        (ModuleError::Parameter(ParameterError::Invalid), Errno::EINVAL),
        (ModuleError::Parameter(ParameterError::Range), Errno::ERANGE),
    ]);
    is([
        (CreateError::Exists, Errno::EEXIST),
        (CreateError::NoInstances, Errno::EUSERS),
        (CreateError::Leaving, Errno::ENODEV),
    ]);
    is([
        (OpenError::NoMdev, Errno::ENOENT),
        (OpenError::Busy, Errno::EBUSY),
        (OpenError::NoKvm, Errno::EINVAL),
        (OpenError::HasMdev, Errno::EPERM),
    ]);
    is([(ResetFailed::NotOpen, Errno::ENOENT), (ResetFailed::Failed, Errno::EIO)]);
    is([(OnlineError::NotUsable, Errno::ENODEV), (OnlineError::Invalid, Errno::EINVAL)]);
    is([
        (SecureError::Failed, Errno::EIO),
        (SecureError::State, Errno::EINVAL),
        (SecureError::Busy, Errno::EBUSY),
        (SecureError::Lent, Errno::EBUSY),
        (SecureError::Gone, Errno::ENODEV),
    ]);
    is([(ResetError::Lent, Errno::EBUSY), (ResetError::Gone, Errno::ENODEV)]);
    is([(NumberError::Range, Errno::ERANGE), (NumberError::Invalid, Errno::EINVAL)]);
    is([
        (NodeError::Exists, Errno::EEXIST),
        (NodeError::Name, Errno::EINVAL),
        (NodeError::Full, Errno::ENOSPC),
        (NodeError::None, Errno::ENOENT),
        (NodeError::Gone, Errno::ENODEV),
    ]);
    is([(UnbindMdevError::NoDevice, Errno::ENODEV)]);
    is([(DomainError, Errno::EINVAL)]);
    is([(AskError, Errno::ENODEV)]);
}

#[test]
fn verbs_say_what_was_expected() {
    let mut rig = Rig::boot(support::SMALL, "");
    let hw = "expected plug, unplug, control, configure, deconfigure, checkstop, repair, type, fault, keys, set, modules \
              or advance";
    let guest = "expected start, stop, reset, list, show, aqic, protect, unmap, request, events, config-irq, changes, info or make";
    for (line, text) in [
        ("plugg 4", format!("`plugg` is no hw verb: {hw}; did you mean `plug`?")),
        ("raw", format!("`raw` is no hw verb: {hw}")),
        ("plug", "`hw plug` needs more words: expected AP[-AP] | .DOM[-DOM] | APQN".to_owned()),
        ("fault 04.0006", "`hw fault` needs more words: expected APQN KEY=VALUE…".to_owned()),
        (
            "modules load vfio",
            "`vfio` is no module: expected ap, zcrypt, zcrypt_cex4, mdev or vfio_ap".to_owned(),
        ),
    ] {
        let error = ControlError { errno: Errno::EINVAL, text, understood: false };
        assert_eq!(rig.session.hw(line), Err(error), "{line}");
    }
    for (line, errno, text) in [
        ("begin g", Errno::EINVAL, format!("`begin` is no guest verb: {guest}")),
        ("", Errno::EINVAL, guest.to_owned()),
        ("stop", Errno::EINVAL, "`guest stop` needs more words: expected NAME".to_owned()),
        (
            "show g9",
            Errno::ENOENT,
            "there is no guest `g9`: there are none; `guest start g9 UUID` makes one".to_owned(),
        ),
    ] {
        let error = rig.session.guest(line).unwrap_err();
        assert_eq!((error.errno, error.text), (errno, text), "{line}");
    }
}

#[test]
fn a_call_that_waits_is_answered_when_it_returns() {
    let mut rig = Rig::assigned();
    rig.run("open 1 g1");
    let id = ap_task::MdevId(0);
    let called = rig.session.call(move |tree, task| tree.host.vfio.remove_mdev(id, task));
    let Called::Pending(token) = called else { panic!("it waits for the guest: {called:?}") };
    type Removed = Result<(), UnbindMdevError>;
    assert_eq!(rig.session.returned::<Removed>(token), None);
    rig.run("close 1");
    assert_eq!(rig.session.returned::<u8>(token), None, "of another type");
    assert_eq!(rig.session.returned::<Removed>(token), Some(Ok(Ok(()))));
    assert_eq!(rig.session.returned::<Removed>(token), None, "it was taken");
    assert_eq!(rig.session.returned::<Removed>(Token(u64::MAX)), None);
    assert_eq!(rig.session.finished(), []);
}

#[test]
fn a_zcrypt_nodes_name_is_text() {
    let mut rig = Rig::boot(support::SMALL, "");
    let mut write = |verb: &str, name: &[u8]| {
        rig.write(&format!("/sys/class/zcrypt/{verb}"), name).err().map(Errno::name)
    };
    assert_eq!(write("create", b"n\xe4me"), Some("EINVAL"));
    assert_eq!(write("destroy", b"n\xe4me"), Some("ENOENT"), "there is none");
    assert_eq!(write("create", "\u{e9}".repeat(16).as_bytes()), None);
    assert_eq!(
        write("create", "\u{e9}".repeat(15).as_bytes()),
        Some("EEXIST"),
        "the 16th letter does not fit"
    );
    assert_eq!(write("destroy", "\u{e9}".repeat(15).as_bytes()), None);
}
