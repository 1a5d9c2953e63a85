//! Every error of the operations, once each: what must be so that it is answered, and that nothing has changed then.

mod support;

use ap_bus::bind::BindError;
use ap_bus::device::DeviceName;
use ap_bus::masks::MaskWriteError;
use ap_bus::queue::ResetError;
use ap_bus::secure::SecureError;
use ap_bus::zcdn::{NodeError, NodeMask};
use ap_bus::zcrypt::{CEX4QUEUE, OnlineError};
use ap_bus::{AskError, DomainError, LoadError, ParameterError, Through};
use ap_host::{Host, Module, ModuleError};
use ap_machine::{Change, FacilityChange, Fault};
use ap_task::{DriverName, MdevId, Task};
use ap_types::{AdapterId, AdapterMask, DomainId, DomainMask, Matrix, ResponseCode, Uuid};
use ap_vfio::{
    AssignError, CloseError, CreateError, OpenError, OpenStage, Part, RequestError, ResetFailed,
    UnbindMdevError, VFIO_AP,
};
use locks::Nothing;

use support::{Rig, apqn};

fn uuid(last: u8) -> Uuid {
    let text = format!("a0000000-0000-4000-8000-0000000000{last:02}");
    ap_types::grammar::uuid(text.as_bytes()).expect("a UUID")
}

const ID: MdevId = MdevId(0);

fn adapter(id: u8) -> Part {
    Part::Adapter(AdapterId(id))
}

fn domain(id: u8) -> Part {
    Part::Domain(DomainId(id))
}

/// Domain 6 is the host's; adapter 4 with domain 71 is an mdev's, which guest `g` has open.
fn running() -> Rig {
    let rig = Rig::with_masks("0x0", "0x0");
    rig.does(|host, task| {
        host.load_module(Module::VfioAp, "", task).expect("vfio_ap loads");
        host.bus.write_apmask(b"+10", task).expect("ok");
        host.bus.write_aqmask(b"+6", task).expect("ok");
        host.vfio.create_mdev(uuid(1), task).expect("an mdev");
        host.vfio.assign(&host.bus, ID, adapter, 4, task).expect("assigns");
        host.vfio.assign(&host.bus, ID, domain, 71, task).expect("assigns");
        host.vfio.guest_open(&uuid(1), "g", task).expect("opens");
    });
    rig
}

/// The operation answers the error, and the state is as before.
#[track_caller]
fn refused<T, E: PartialEq + std::fmt::Debug + std::fmt::Display>(
    rig: &Rig,
    expected: E,
    operation: impl FnOnce(&Host, &mut Task<'_, Nothing>) -> Result<T, E>,
) {
    let take = || rig.does(|host, task| host.snapshot(&rig.machine, task));
    let before = take();
    let error = rig.does(operation).err().expect("it is refused");
    assert_eq!(error, expected);
    assert!(!error.to_string().is_empty(), "{error:?} says what is wrong");
    assert!(take().same(&before), "{error:?} and something changed");
}

#[test]
fn of_masks_and_binding() {
    let rig = running();
    let syntax = ap_types::grammar::mask_write(AdapterMask::ALL, b"+q").expect_err("no mask");
    refused(&rig, MaskWriteError::Syntax(syntax), |h, t| h.bus.write_apmask(b"+q", t));
    let error = rig.does(|h, t| h.bus.write_aqmask(b"+71", t)).err();
    assert_eq!(error, None, "adapter 4 is not the host's: nobody is asked to give anything");
    rig.does(|h, t| h.bus.write_aqmask(b"-71", t)).expect("ok");
    rig.does(|h, t| h.bus.write_aqmask(b"+71", t)).expect("ok");
    let error = rig.does(|h, t| h.bus.write_apmask(b"+4", t)).expect_err("04.0047 is in use");
    let MaskWriteError::InUse { driver, holder } = error else { panic!("{error:?}") };
    assert_eq!((driver, holder.name), (VFIO_AP, uuid(1).to_string()));
    let queue = DeviceName::Queue(apqn(4, 71));
    refused(&rig, BindError::NoDevice, |h, t| h.bus.bind(VFIO_AP, DeviceName::Queue(apqn(5, 6)), t));
    refused(&rig, BindError::NoDevice, |h, t| h.bus.bind(DriverName("none"), queue, t));
    refused(&rig, BindError::NoDevice, |h, t| h.bus.bind(VFIO_AP, DeviceName::Card(AdapterId(4)), t));
    refused(&rig, BindError::Bound, |h, t| h.bus.bind(VFIO_AP, queue, t));
    refused(&rig, BindError::NoDevice, |h, t| h.bus.unbind(CEX4QUEUE, queue, t));
    refused(&rig, BindError::NoDevice, |h, t| h.bus.drivers_probe(DeviceName::Card(AdapterId(5)), t));
    let free = DeviceName::Queue(apqn(10, 71));
    rig.does(|h, t| h.bus.unbind(CEX4QUEUE, free, t)).expect("ok");
    refused(&rig, BindError::Refused, |h, t| h.bus.bind(VFIO_AP, free, t));
    refused(&rig, DomainError, |h, t| h.bus.choose_domain(200, t));
    refused(&rig, DomainError, |h, t| h.bus.choose_domain(22, t));
}

#[test]
fn of_modules() {
    let rig = Rig::bare();
    refused(&rig, ModuleError::NotLoaded, |h, t| h.load_module(Module::Zcrypt, "", t));
    refused(&rig, ModuleError::NotLoaded, |h, t| h.unload_module(Module::Ap, t));
    let parameter = ModuleError::Parameter;
    refused(&rig, parameter(ParameterError::Invalid), |h, t| h.load_module(Module::Ap, "useirq=x", t));
    refused(&rig, parameter(ParameterError::Range), |h, t| h.load_module(Module::Ap, "useirq=2147483648", t));
    rig.does(|_, t| {
        rig.machine.change(&Change::Facility(FacilityChange::Instructions(false)), &mut t.at());
    });
    refused(&rig, ModuleError::NoInstructions, |h, t| h.load_module(Module::Ap, "", t));
    assert_eq!(ModuleError::from(LoadError::NoInstructions), ModuleError::NoInstructions);
    let rig = running();
    refused(&rig, ModuleError::Loaded, |h, t| h.load_module(Module::VfioAp, "", t));
    refused(&rig, ModuleError::InUse, |h, t| h.unload_module(Module::VfioAp, t));
    refused(&rig, ModuleError::InUse, |h, t| h.unload_module(Module::Ap, t));
    refused(&rig, ModuleError::InUse, |h, t| h.unregister(VFIO_AP, t));
    refused(&rig, ModuleError::NotLoaded, |h, t| h.unregister(DriverName("none"), t));
}

#[test]
fn of_queues_and_cards() {
    let rig = running();
    let lent = rig.does(|h, t| h.bus.queue(apqn(4, 71), t)).expect("it is there");
    let mine = rig.does(|h, t| h.bus.queue(apqn(10, 6), t)).expect("it is there");
    let card = rig.does(|h, t| h.bus.card(AdapterId(10), t)).expect("it is there");
    refused(&rig, ResetError::Lent, |h, t| h.bus.reset_queue(&lent, t));
    refused(&rig, SecureError::Lent, |h, t| h.bus.se_bind(&lent, false, t));
    refused(&rig, SecureError::State, |h, t| h.bus.se_bind(&lent, true, t));
    refused(&rig, SecureError::State, |h, t| h.bus.se_associate(&lent, 1 << 20, t));
    let fault = |fault: Fault| {
        rig.does(|_, t| rig.machine.change(&Change::fault(apqn(10, 6), fault), &mut t.at()));
    };
    fault(Fault::Answer(ResponseCode::BUSY));
    refused(&rig, SecureError::Failed, |h, t| h.bus.se_bind(&mine, true, t));
    fault(Fault::Answer(ResponseCode::NORMAL));
    fault(Fault::BindState(2));
    fault(Fault::Resetting(9));
    rig.does(|h, t| h.bus.reset_queue(&mine, t)).expect("a reset runs");
    fault(Fault::Resetting(0));
    assert_eq!(rig.does(|h, t| h.bus.is_bound(&mine, t)), Ok(false), "the bus remembers what it saw");
    refused(&rig, SecureError::Busy, |h, t| h.bus.se_bind(&mine, true, t));
    rig.does(|h, t| h.bus.switch_card(&card, false, t)).expect("off");
    refused(&rig, OnlineError::Invalid, |h, t| h.bus.switch_queue(&mine, true, t));
    rig.does(|h, t| {
        let gone = ap_machine::AdapterChange { deconfigured: Some(true), ..Default::default() };
        rig.machine.change(&Change::Adapter(AdapterMask::single(AdapterId(10)), gone), &mut t.at());
        h.bus.force_scan(t);
    });
    refused(&rig, OnlineError::NotUsable, |h, t| h.bus.switch_card(&card, true, t));
    refused(&rig, OnlineError::NotUsable, |h, t| h.bus.switch_queue(&mine, true, t));
    rig.does(|h, t| {
        let gone = ap_machine::Ids::Remove(AdapterMask::single(AdapterId(10)));
        rig.machine.change(&Change::Adapters(gone), &mut t.at());
        h.bus.force_scan(t);
    });
    refused(&rig, ResetError::Gone, |h, t| h.bus.reset_queue(&mine, t));
    refused(&rig, SecureError::Gone, |h, t| h.bus.se_bind(&mine, false, t));
    let asked = rig.does(|h, t| h.bus.ask_adapter(&card, Through::Queue(&mine), t));
    assert_eq!(asked, Err(AskError), "the queue is gone");
    assert_eq!(rig.does(|h, t| h.bus.ask_adapter(&card, Through::Any, t)), Err(AskError), "the card is gone");
    assert!(!rig.does(|h, t| h.bus.configure_card(&card, true, t)), "the card is gone");
}

#[test]
fn of_zcrypt_nodes() {
    let rig = running();
    let create =
        |name: &'static str| move |h: &Host, t: &mut Task<'_, Nothing>| h.bus.create_zcrypt_node(name, t);
    refused(&rig, NodeError::Name, create(".."));
    refused(&rig, NodeError::None, |h, t| h.bus.destroy_zcrypt_node("n", t));
    refused(&rig, NodeError::Gone, |h, t| h.bus.write_zcrypt_mask(7, NodeMask::Requests, b"+4", t));
    rig.does(create("n")).expect("ok");
    refused(&rig, NodeError::Exists, create("n"));
    let clash = rig.does(create("create")).expect_err("the class has that file");
    assert!(matches!(&clash, NodeError::Clash(node) if node.minor == 1), "{clash:?}");
    let syntax = ap_types::grammar::mask_write(AdapterMask::ALL, b"+q").expect_err("no mask");
    refused(&rig, NodeError::Syntax(syntax), |h, t| h.bus.write_zcrypt_mask(1, NodeMask::Requests, b"+q", t));
    while rig.does(create("")).is_ok() {}
    refused(&rig, NodeError::Full, create(""));
}

#[test]
fn of_mdevs() {
    let rig = running();
    let gone = MdevId(99);
    refused(&rig, AssignError::TooHigh, |h, t| h.vfio.assign(&h.bus, ID, adapter, 1 << 20, t));
    refused(&rig, AssignError::TooHigh, |h, t| h.vfio.assign(&h.bus, ID, domain, 85, t));
    rig.does(|h, t| h.vfio.assign(&h.bus, ID, adapter, 10, t)).expect("10.0047 is not the host's");
    refused(&rig, AssignError::Reserved, |h, t| h.vfio.assign(&h.bus, ID, domain, 6, t));
    refused(&rig, AssignError::Gone, |h, t| h.vfio.assign(&h.bus, gone, adapter, 4, t));
    refused(&rig, AssignError::TooHigh, |h, t| h.vfio.unassign(ID, adapter, 64, t));
    refused(&rig, AssignError::TooHigh, |h, t| h.vfio.assign_control_domain(ID, true, 85, t));
    let whole = |a: u8, d: u8| Matrix {
        adapters: AdapterMask::single(AdapterId(a)),
        domains: DomainMask::single(DomainId(d)),
        control_domains: DomainMask::EMPTY,
    };
    refused(&rig, AssignError::Reserved, |h, t| h.vfio.write_ap_config(&h.bus, ID, whole(10, 6), t));
    refused(&rig, AssignError::TooHigh, |h, t| h.vfio.write_ap_config(&h.bus, ID, whole(4, 90), t));
    rig.does(|h, t| h.vfio.create_mdev(uuid(2), t)).expect("ok");
    refused(&rig, AssignError::Shared, |h, t| h.vfio.write_ap_config(&h.bus, MdevId(1), whole(4, 71), t));
    refused(&rig, CreateError::Exists, |h, t| h.vfio.create_mdev(uuid(1), t));
    refused(&rig, UnbindMdevError::NoDevice, |h, t| h.vfio.remove_mdev(gone, t));
    refused(&rig, UnbindMdevError::NoDevice, |h, t| h.vfio.unbind_mdev(&uuid(9), t));
    rig.does(|h, t| h.vfio.unbind_mdev(&uuid(2), t)).expect("ok");
    refused(&rig, UnbindMdevError::NoDevice, |h, t| h.vfio.unbind_mdev(&uuid(2), t));
    rig.does(|h, t| {
        h.vfio.guest_close(&uuid(1), None, t).expect("closes");
        h.unload_module(Module::VfioAp, t).expect("goes");
    });
    refused(&rig, CreateError::Leaving, |h, t| h.vfio.create_mdev(uuid(3), t));
}

#[test]
fn the_last_instance_is_the_last() {
    let rig = Rig::with_masks("0x0", "0x0");
    rig.does(|h, t| {
        h.load_module(Module::VfioAp, "", t).expect("vfio_ap loads");
        for number in 0..65_536u32 {
            let text = format!("{number:08x}-0000-4000-8000-000000000001");
            let uuid = ap_types::grammar::uuid(text.as_bytes()).expect("a UUID");
            h.vfio.create_mdev(uuid, t).expect("there is room");
        }
        assert_eq!(h.vfio.create_mdev(uuid(1), t), Err(CreateError::NoInstances));
    });
}

#[test]
fn of_guests() {
    let rig = running();
    refused(&rig, OpenError::NoMdev, |h, t| h.vfio.guest_open(&uuid(9), "h", t));
    refused(&rig, OpenError::Busy, |h, t| h.vfio.guest_open(&uuid(1), "h", t));
    rig.does(|h, t| h.vfio.create_mdev(uuid(2), t)).expect("ok");
    refused(&rig, OpenError::NoKvm, |h, t| h.vfio.guest_open(&uuid(2), "-", t));
    refused(&rig, OpenError::HasMdev, |h, t| h.vfio.guest_open(&uuid(2), "g", t));
    let stages =
        [OpenError::NoMdev, OpenError::Busy, OpenError::NoKvm, OpenError::HasMdev].map(OpenError::stage);
    assert_eq!(stages, [OpenStage::IommuGroup, OpenStage::Group, OpenStage::Device, OpenStage::Device]);
    refused(&rig, CloseError, |h, t| h.vfio.guest_close(&uuid(2), None, t));
    refused(&rig, CloseError, |h, t| h.vfio.guest_close(&uuid(1), Some("h"), t));
    refused(&rig, ResetFailed::NotOpen, |h, t| h.vfio.guest_reset(&uuid(2), None, t));
    refused(&rig, RequestError::NotOpen, |h, t| h.vfio.guest_info(&uuid(2), None, t));
    refused(&rig, RequestError::NotOpen, |h, t| h.vfio.guest_request_irq(&uuid(2), None, true, t));
    refused(&rig, RequestError::NotOpen, |h, t| h.vfio.guest_event_count(&uuid(2), None, t));
    rig.does(|_, t| {
        let fault = Fault::Answer(ResponseCode::Q_NOT_AVAIL);
        rig.machine.change(&Change::fault(apqn(4, 71), fault), &mut t.at());
    });
    assert_eq!(rig.does(|h, t| h.vfio.guest_reset(&uuid(1), None, t)), Err(ResetFailed::Failed));
}
