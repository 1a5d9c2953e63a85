//! The state by field: what counts when two states are compared, and that what is taken is given back.
//!
//! Each table begins with the struct taken apart: a field that is added does not compile here until it stands in the
//! table, and one that is left out of a hash by mistake fails its row.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use ap_bus::device::{CardState, DevState, QueueState, Sm};
use ap_bus::registry::Registry;
use ap_bus::remembered::Remembered;
use ap_bus::zcdn::ZcryptNodes;
use ap_bus::{Override, Ownership, Parameters};
use ap_host::{Core, Module, Snapshot};
use ap_machine::{AdapterFacts, MasterKeys};
use ap_task::MdevId;
use ap_task::state::{Counted, Unhashed, fingerprint};
use ap_types::{
    AdapterId, AdapterMask, BindState, DomainId, DomainMask, HostConfig, Matrix, ResponseCode, Uuid,
};
use ap_vfio::{
    ByAge, Eventfd, Groups, Guest, GuestMemory, GuestState, IrqResources, Life, Limits, Links, Mdev, Mdevs,
    Opening, Part, QueueRecord, Removing,
};

use support::{Rig, apqn};

/// Whether a field tells states apart, or only who goes on from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counts {
    /// Two states that differ in it are two states.
    Yes,
    /// They are the same state, and not equal.
    ForWhoGoesOn,
}
use Counts::{ForWhoGoesOn, Yes};

type Row<T> = (&'static str, Counts, fn(&mut T));

fn check<T: Clone + PartialEq + std::hash::Hash>(whole: &T, rows: &[Row<T>]) {
    for (field, counts, change) in rows {
        let mut other = whole.clone();
        change(&mut other);
        assert!(other != *whole, "{field} is compared");
        let same = fingerprint(&other) == fingerprint(whole);
        assert_eq!(same, *counts == ForWhoGoesOn, "{field} is hashed exactly if it counts");
    }
}

fn rig() -> Rig {
    let rig = Rig::with_masks("0x0", "0x0");
    rig.does(|host, task| host.load_module(Module::VfioAp, "", task)).expect("vfio_ap loads");
    rig
}

fn told() -> AdapterFacts {
    AdapterFacts {
        serial: "1".into(),
        api_ordinal: 6,
        firmware: (8, 0),
        op_modes: String::new(),
        keys: MasterKeys::default(),
    }
}

/// Only that it was done counts.
fn done<T>(_: T) {}

#[test]
fn of_the_registry() {
    let rig = rig();
    let whole = rig.does(|host, task| host.bus.look(task, Registry::clone));
    let Registry {
        present: _,
        cards: _,
        queues: _,
        order: _,
        autoprobe: _,
        config: _,
        max_adapter: _,
        max_domain: _,
        default_domain: _,
        scans: _,
        config_time: _,
        poll_timeout: _,
        poll_thread: _,
        interrupts: _,
        secure_execution: _,
        complete_count: _,
        count_shown: _,
        parameters: _,
        generations: _,
        zcrypt_nodes: _,
    } = &whole;
    check(
        &whole,
        &[
            ("present", Yes, |r| r.present = false),
            ("cards", Yes, |r| done(r.cards.remove(&AdapterId(4)))),
            ("queues", Yes, |r| done(r.queues.remove(&apqn(4, 6)))),
            ("order", ForWhoGoesOn, |r| r.order = Unhashed(BTreeMap::new())),
            ("autoprobe", Yes, |r| r.autoprobe = false),
            ("config", Yes, |r| r.config = None),
            ("max_adapter", Yes, |r| r.max_adapter = 7),
            ("max_domain", Yes, |r| r.max_domain = 7),
            ("default_domain", Yes, |r| r.default_domain = Some(71)),
            ("scans, more", ForWhoGoesOn, |r| r.scans = Counted(17)),
            ("scans, none", Yes, |r| r.scans = Counted(0)),
            ("config_time", Yes, |r| r.config_time = 7),
            ("poll_timeout", Yes, |r| r.poll_timeout = 7),
            ("poll_thread", Yes, |r| r.poll_thread = true),
            ("interrupts", Yes, |r| r.interrupts = true),
            ("secure_execution", Yes, |r| r.secure_execution = true),
            ("complete_count", ForWhoGoesOn, |r| r.complete_count = Unhashed(17)),
            ("count_shown", Yes, |r| r.count_shown = true),
            ("parameters", Yes, |r| {
                r.parameters = Parameters { useirq: Some(0), ..Parameters::default() };
            }),
            ("generations", ForWhoGoesOn, |r| r.generations = Unhashed(BTreeMap::new())),
            ("zcrypt_nodes", Yes, |r| {
                let rig = rig_with_node();
                r.zcrypt_nodes = rig.does(|host, task| {
                    host.bus.look(task, |registry| ZcryptNodes::clone(&registry.zcrypt_nodes))
                });
            }),
        ],
    );
}

fn rig_with_node() -> Rig {
    let rig = Rig::with_masks("0x0", "0x0");
    rig.does(|host, task| host.bus.create_zcrypt_node("node", task)).expect("a node");
    rig
}

#[test]
fn of_cards_queues_and_ownership() {
    let rig = rig();
    rig.does(|host, task| host.bus.write_aqmask(b"+6", task)).expect("ok");
    let card = rig.does(|host, task| {
        let card = host.bus.card(AdapterId(4), task).expect("it is there");
        CardState::clone(&card.state.lock(task).0)
    });
    let CardState { binding: _, config: _, chkstop: _, online: _, told: _ } = &card;
    check(
        &card,
        &[
            ("binding", Yes, |c| c.binding = None),
            ("binding.since", ForWhoGoesOn, |c| {
                c.binding.iter_mut().for_each(|binding| binding.since = Unhashed(999));
            }),
            ("config", Yes, |c| c.config = false),
            ("chkstop", Yes, |c| c.chkstop = true),
            ("online", Yes, |c| c.online = false),
            ("told", Yes, |c| c.told = Some(told().into())),
        ],
    );
    let queue = rig.does(|host, task| {
        let queue = host.bus.queue(apqn(4, 6), task).expect("it is there");
        QueueState::clone(&queue.state.lock(task).0)
    });
    let QueueState { binding: _, config: _, chkstop: _, state: _, sm: _, online: _, secure: _, told: _ } =
        &queue;
    let Remembered { seen: _, secret: _, unbinding: _ } = &queue.secure;
    check(
        &queue,
        &[
            ("binding", Yes, |q| q.binding = None),
            ("config", Yes, |q| q.config = false),
            ("chkstop", Yes, |q| q.chkstop = true),
            ("state", Yes, |q| q.state = DevState::Error),
            ("sm", Yes, |q| q.sm = Sm::SetIrqWait),
            ("online", Yes, |q| q.online = !q.online),
            ("told", Yes, |q| q.told = Some(told().into())),
            ("seen", Yes, |q| q.secure.seen = BindState::Unbound),
            ("secret", Yes, |q| q.secure.secret = Some(0)),
            ("unbinding", Yes, |q| q.secure.unbinding = true),
        ],
    );
    let ownership = rig.does(|host, task| Ownership::clone(&host.bus.ownership().lock(task).0));
    let Ownership { adapters: _, domains: _, overrides: _, announced: _, drivers: _ } = &ownership;
    check(
        &ownership,
        &[
            ("adapters", Yes, |o| o.adapters = AdapterMask::ALL),
            ("domains", Yes, |o| o.domains = DomainMask::ALL),
            ("overrides", Yes, |o| o.overrides.set(apqn(4, 6), Override::parse(b"vfio_ap"))),
            ("masks_in_use", Yes, |o| o.overrides.masks_in_use = !o.overrides.masks_in_use),
            ("announced", Yes, |o| o.announced = !o.announced),
            ("drivers", Yes, |o| done(o.drivers.pop())),
        ],
    );
}

fn uuid(last: u8) -> Uuid {
    let text = format!("a0000000-0000-4000-8000-0000000000{last:02}");
    ap_types::grammar::uuid(text.as_bytes()).expect("a UUID")
}

/// An mdev with adapter 4 and domains 6 and 71 that a guest has open.
fn running() -> Rig {
    let rig = rig();
    rig.does(|host, task| {
        let id = host.vfio.create_mdev(uuid(1), task).expect("an mdev");
        host.vfio.assign(&host.bus, id, |n| Part::Adapter(AdapterId(n)), 4, task).expect("assigns");
        host.vfio.assign(&host.bus, id, |n| Part::Domain(DomainId(n)), 6, task).expect("assigns");
        host.vfio.guest_open(&uuid(1), "g", task).expect("opens");
    });
    rig
}

#[test]
fn of_what_vfio_ap_knows() {
    let rig = running();
    let whole = rig.does(|host, task| host.vfio.look(task, Mdevs::clone));
    let Mdevs {
        config: _,
        list: _,
        by_uuid: _,
        queues: _,
        links: _,
        bound: _,
        failed: _,
        assigned: _,
        next_id: _,
        leaving: _,
        load: _,
        numbers: _,
    } = &whole;
    check(
        &whole,
        &[
            ("config", Yes, |m| m.config = None::<HostConfig>),
            ("list", Yes, |m| m.list = ByAge::default()),
            ("by_uuid", ForWhoGoesOn, |m| m.by_uuid.clear()),
            ("queues", Yes, |m| done(m.queues.remove(&apqn(4, 6)))),
            ("links", ForWhoGoesOn, |m| m.links = Unhashed(Links::default())),
            ("bound", ForWhoGoesOn, |m| m.bound.clear()),
            ("failed", ForWhoGoesOn, |m| done(m.failed.insert(apqn(4, 6)))),
            ("assigned", ForWhoGoesOn, |m| m.assigned.clear()),
            ("next_id", ForWhoGoesOn, |m| m.next_id = Unhashed(17)),
            ("leaving", ForWhoGoesOn, |m| m.leaving = Unhashed(true)),
            ("load", ForWhoGoesOn, |m| m.load = Unhashed(7)),
            ("numbers", ForWhoGoesOn, |m| m.numbers.0.iommu_groups.clear()),
        ],
    );
    let mdev = whole.list[&MdevId(0)].clone();
    let Mdev {
        uuid: _,
        life: _,
        matrix: _,
        shadow: _,
        limits: Limits { adapter: _, domain: _ },
        shadow_limits: _,
        adding: _,
        fresh: _,
        config: _,
        groups: _,
        device: _,
    } = &mdev;
    let Groups { iommu_group: _, vfio_group: _, vfio_device: _ } = &mdev.groups;
    check(
        &mdev,
        &[
            ("uuid", Yes, |m| m.uuid = uuid(2)),
            ("life", Yes, |m| m.life = Life::Unbound),
            ("life, closed", Yes, |m| m.life = Life::Live(None)),
            ("matrix", Yes, |m| m.matrix = Matrix::default()),
            ("shadow", Yes, |m| m.shadow = Matrix::default()),
            ("limits.adapter", Yes, |m| m.limits.adapter = 9),
            ("limits.domain", Yes, |m| m.limits.domain = 9),
            ("shadow_limits", Yes, |m| m.shadow_limits.domain = 9),
            ("adding", Yes, |m| m.adding = m.matrix),
            ("fresh", ForWhoGoesOn, |m| *m.fresh = false),
            ("config", Yes, |m| done(m.config.register())),
            ("iommu_group", Yes, |m| m.groups.iommu_group = 9),
            ("vfio_group", Yes, |m| m.groups.vfio_group = 9),
            ("vfio_device", Yes, |m| m.groups.vfio_device = 9),
        ],
    );
}

#[test]
fn of_what_an_mdev_and_a_queue_record_hold() {
    let by = Arc::new(Guest::new("h", true, 7));
    let opening = Opening { by, request: None, config: Unhashed(None) };
    let Opening { by: _, request: _, config: _ } = &opening;
    check(
        &opening,
        &[
            ("by", Yes, |o| o.by = Arc::new(Guest::new("i", true, 8))),
            ("has_apcb", Yes, |o| o.by = Arc::new(Guest::new("h", false, 8))),
            ("request", Yes, |o| o.request = Some(Unhashed(0))),
            ("config", ForWhoGoesOn, |o| o.config = Unhashed(Some(Eventfd::default()))),
        ],
    );
    let removing = Removing { asked: Unhashed(0), next: Unhashed(0), whole: true, cleared: false };
    let Removing { asked: _, next: _, whole: _, cleared: _ } = &removing;
    check(
        &removing,
        &[
            ("asked", ForWhoGoesOn, |r| r.asked = Unhashed(1)),
            ("next", ForWhoGoesOn, |r| r.next = Unhashed(1)),
            ("whole", Yes, |r| r.whole = false),
            ("cleared", Yes, |r| r.cleared = true),
        ],
    );
    let irq = IrqResources { isc: 3, address: 0x1000, guest: "g".into() };
    let record = QueueRecord { last_reset: ResponseCode::NORMAL, irq: Some(irq) };
    let QueueRecord { last_reset: _, irq: Some(IrqResources { isc: _, address: _, guest: _ }) } = &record
    else {
        unreachable!("made so")
    };
    check(
        &record,
        &[
            ("last_reset", Yes, |r| r.last_reset = ResponseCode::BUSY),
            ("irq", Yes, |r| r.irq = None),
            ("isc", Yes, |r| r.irq.iter_mut().for_each(|irq| irq.isc = 4)),
            ("address", Yes, |r| r.irq.iter_mut().for_each(|irq| irq.address = 0x2000)),
            ("guest", Yes, |r| r.irq.iter_mut().for_each(|irq| irq.guest = "h".into())),
        ],
    );
}

#[test]
fn of_guests_and_modules() {
    let guest = GuestState::default();
    let GuestState { apcb: _, set_count: _, clear_count: _, protected: _ } = &guest;
    check(
        &guest,
        &[
            ("apcb", Yes, |g| done(g.apcb.adapters.insert(AdapterId(4)))),
            ("set_count", ForWhoGoesOn, |g| g.set_count = Unhashed(1)),
            ("clear_count", ForWhoGoesOn, |g| g.clear_count = Unhashed(1)),
            ("protected", Yes, |g| g.protected = true),
        ],
    );
    let memory = GuestMemory::default();
    let GuestMemory { pinned: _, gisc: _ } = &memory;
    check(
        &memory,
        &[("pinned", Yes, |m| done(m.pinned.insert(0x1000, 1))), ("gisc", Yes, |m| m.gisc[3] = 1)],
    );
    let core = Core::default();
    let Core { loads: _, loaded: _, autoprobe_matrix: _, autoprobe_mdev: _, mempool_threshold: _ } = &core;
    check(
        &core,
        &[
            ("loads", ForWhoGoesOn, |c| c.loads.0[0] = 9),
            ("loaded", Yes, |c| c.loaded.ap = true),
            ("autoprobe_matrix", Yes, |c| c.autoprobe_matrix = false),
            ("autoprobe_mdev", Yes, |c| c.autoprobe_mdev = false),
            ("mempool_threshold", Yes, |c| c.mempool_threshold = 7),
        ],
    );
}

/// What an operation does to the state, and that going back undoes it.
#[test]
fn what_is_restored_is_what_was_taken() {
    let rig = running();
    let take = |rig: &Rig| rig.does(|host, task| host.snapshot(&rig.machine, task));
    type Operation = (&'static str, fn(&Rig));
    let operations: [Operation; 8] = [
        ("aqmask", |rig| rig.does(|h, t| h.bus.write_aqmask(b"+71", t)).expect("ok")),
        ("a scan finds less", |rig| {
            let gone = ap_machine::Ids::Remove(AdapterMask::single(AdapterId(10)));
            rig.does(|h, t| {
                rig.machine.change(&ap_machine::Change::Adapters(gone), &mut t.at());
                h.bus.force_scan(t);
            });
        }),
        ("a guest closes", |rig| rig.does(|h, t| h.vfio.guest_close(&uuid(1), None, t)).expect("ok")),
        ("an interrupt", |rig| {
            rig.does(|h, t| {
                let guest = h.vfio.guest_named("g", t).expect("it is there");
                h.vfio.guest_pqap(&guest, u64::from(apqn(4, 6).to_u16()), 1 << 47, 0x1000, t);
            });
        }),
        ("a guest is protected", |rig| {
            rig.does(|h, t| {
                let guest = h.vfio.guest_named("g", t).expect("it is there");
                h.vfio.guest_protect(&guest, t);
            });
        }),
        ("another mdev", |rig| done(rig.does(|h, t| h.vfio.create_mdev(uuid(2), t)).expect("ok"))),
        ("a setting", |rig| rig.does(|h, t| h.configure(t, |core| core.autoprobe_mdev = false))),
        ("a module goes", |rig| {
            rig.does(|h, t| h.unload_module(Module::ZcryptCex4, t)).expect("nobody needs it");
        }),
    ];
    for (what, operate) in operations {
        let before = take(&rig);
        operate(&rig);
        let after = take(&rig);
        assert!(!before.same(&after), "{what} changes the state");
        let back = |from: Option<&Snapshot>, to: &Snapshot| {
            rig.does(|host, task| match from {
                Some(from) => host.restore_from(&rig.machine, from, to, task),
                None => host.restore(&rig.machine, to, task),
            });
        };
        back(Some(&after), &before);
        assert!(take(&rig).same(&before), "{what}: back from the state after it");
        back(None, &after);
        assert!(take(&rig).same(&after), "{what}: and there again");
        back(None, &before);
        let shared = rig.does(|host, task| host.snapshot_after(&rig.machine, &before, task));
        assert!(shared.bus.registry.is(&before.bus.registry), "{what}: what did not change is shared");
        assert!(shared.vfio.mdevs.is(&before.vfio.mdevs), "{what}: what did not change is shared");
        assert!(shared.machine.is(&before.machine), "{what}: what did not change is shared");
    }
}
