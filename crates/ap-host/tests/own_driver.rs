//! A driver of one's own on the bus: one that vetoes, one whose probe fails, one that is slow to give a queue back.
//!
//! Every interleaving with mask writes and with vfio_ap is explored. No line of the bus knows of it
//! (`docs/guide/write-a-driver.md`).

#[path = "own_driver/lender.rs"]
mod lender;
mod support;

use std::sync::Arc;

use ap_bus::device::DeviceName;
use ap_host::{Module, ModuleError, invariants};
use ap_types::{AdapterId, DomainId, Uuid};
use ap_vfio::Part;
use explore::{Explorer, Options, Scene};

use lender::{LENDER, Lender, Manners};
use support::{Rig, apqn};

/// A host on which the lender is registered, before vfio_ap.
struct World {
    rig: Rig,
    lender: Arc<Lender>,
}

impl World {
    /// All queues are left to drivers that are no default ones.
    fn new(manners: Manners) -> World {
        let rig = Rig::with_masks("0x0", "0x0");
        let lender = Lender::new(manners);
        rig.does(|host, task| host.register(lender.clone(), task)).expect("nobody has that name");
        World { rig, lender }
    }

    fn with_vfio(manners: Manners) -> World {
        let world = World::new(manners);
        world.rig.does(|host, task| host.load_module(Module::VfioAp, "", task)).expect("vfio_ap loads");
        world
    }

    fn driver_of(&self, adapter: u8, domain: u8) -> &'static str {
        self.rig.does(|host, task| {
            let queue = host.bus.queue(apqn(adapter, domain), task).expect("the queue is there");
            queue.state.lock(task).0.driver().map_or("none", |driver| driver.0)
        })
    }

    /// What must hold at the end: nobody uses a queue that the host owns.
    fn stolen(&self) -> Vec<explore::Finding> {
        let used = self.rig.does(|_, task| self.lender.used(task));
        let (adapters, domains) = self.rig.does(|host, task| host.bus.masks(task));
        let reserved = |q: &ap_types::Apqn| adapters.contains(q.adapter) && domains.contains(q.domain);
        let mut found: Vec<explore::Finding> = used
            .iter()
            .filter(|q| reserved(q))
            .map(|q| explore::Finding::new("stolen", format!("{q} is used and the host's")))
            .collect();
        let state = self.rig.does(|host, task| host.snapshot(&self.rig.machine, task));
        found
            .extend(invariants::check(&state).iter().map(|b| explore::Finding::new("stolen", b.to_string())));
        found
    }
}

fn said<T, E: std::fmt::Debug>(result: Result<T, E>) -> String {
    result.map_or_else(
        |error| format!("{error:?}").split([' ', '(', '{']).next().unwrap_or("").into(),
        |_| "ok".into(),
    )
}

fn mask(world: &World, text: &str) -> String {
    said(world.rig.does(|host, task| host.bus.write_apmask(text.as_bytes(), task)))
}

fn domains(world: &World, text: &str) -> String {
    said(world.rig.does(|host, task| host.bus.write_aqmask(text.as_bytes(), task)))
}

fn take(world: &World) -> String {
    said(world.rig.does(|host, task| world.lender.take(&host.bus, apqn(4, 6), task)))
}

/// Explores all interleavings; gives the sets of results, sorted.
fn explore(mut scene: Scene<World>) -> Vec<Vec<String>> {
    let report = Explorer::new(Options::default()).run(&mut scene);
    assert_eq!(report.verdict, "clean", "{:#?}", report.violations);
    assert!(report.exhausted);
    let mut results: Vec<Vec<String>> =
        report.outcomes.iter().map(|outcome| outcome.results.clone()).collect();
    results.sort();
    results.dedup();
    results
}

#[test]
fn it_is_tried_and_shown_like_any_other() {
    let world = World::new(Manners::Takes);
    assert_eq!(world.driver_of(4, 6), "lender");
    assert_eq!(world.driver_of(10, 6), "none", "nobody takes what the lender refuses");
    let shown = world.rig.does(|host, task| host.bus.driver_info(LENDER, task)).expect("it is registered");
    assert_eq!((shown.name, shown.module), (LENDER, "lender"));
    let again = world.rig.does(|host, task| host.register(world.lender.clone(), task));
    assert_eq!(again, Err(ModuleError::Loaded));
    let unload = world.rig.does(|host, task| {
        host.unload_module(Module::ZcryptCex4, task).expect("nobody needs it");
        host.unload_module(Module::Zcrypt, task).expect("nobody needs it");
        host.unload_module(Module::Ap, task)
    });
    assert_eq!(unload, Err(ModuleError::InUse), "the bus has a driver still");
    world.rig.does(|host, task| host.unregister(LENDER, task)).expect("it goes");
    assert_eq!(world.driver_of(4, 6), "none");
    assert_eq!(world.rig.does(|host, task| host.unregister(LENDER, task)), Err(ModuleError::NotLoaded));
    assert_eq!(world.rig.does(|_, task| world.lender.has(task)), Vec::new());
}

#[test]
fn its_veto_is_heard_and_names_the_holder() {
    let world = World::new(Manners::Takes);
    assert_eq!(domains(&world, "-1"), "ok");
    assert_eq!(domains(&world, "+6"), "ok");
    assert_eq!(take(&world), "ok", "apmask leaves adapter 4 to the lender");
    let error = world.rig.does(|host, task| host.bus.write_apmask(b"+4", task)).expect_err("it is in use");
    assert_eq!(
        error.to_string(),
        "a queue that would become the host's is in use by a user of lender of lender"
    );
    assert_eq!(mask(&world, "+10"), "ok", "only what is asked about is vetoed");
    world.rig.does(|_, task| world.lender.give_back(apqn(4, 6), task));
    assert_eq!(mask(&world, "+4"), "ok");
    assert_eq!(world.driver_of(4, 6), "cex4queue");
}

/// A module that brings a driver of that name must still be able to load.
#[test]
fn the_names_of_the_modules_drivers_are_taken() {
    struct Named(ap_task::DriverName, &'static str);
    impl ap_bus::ApDriver for Named {
        fn name(&self) -> ap_task::DriverName {
            self.0
        }
        fn module(&self) -> &'static str {
            self.1
        }
        fn probe(
            &self,
            _: &Arc<ap_bus::device::QueueDevice>,
            _: &mut ap_task::Task<'_, ap_task::order::Perms>,
        ) -> bool {
            true
        }
    }
    let rig = Rig::with_masks("0x0", "0x0");
    for (name, module) in [(ap_vfio::VFIO_AP, "mine"), (LENDER, "vfio_ap")] {
        let refused = rig.does(|host, task| host.register(Arc::new(Named(name, module)), task));
        assert_eq!(refused, Err(ModuleError::InUse), "{name} of {module}");
    }
    rig.does(|host, task| host.load_module(Module::VfioAp, "", task)).expect("nothing is in its way");
}

/// A mask write against a user who takes a queue: always exactly one of them gets it.
#[test]
fn a_mask_write_and_a_user_never_both_get_a_queue() {
    let scene = Scene::new(|| {
        let world = World::new(Manners::Takes);
        domains(&world, "+6");
        world
    })
    .task("bus", |world| mask(world, "+4"))
    .task("user", take)
    .check(|world, _| world.stolen());
    assert_eq!(explore(scene), [["InUse", "ok"], ["ok", "Reserved"]]);
}

/// A driver whose probe fails leaves the queue without one, and that is no error of a mask write.
#[test]
fn a_probe_that_fails_leaves_the_queue_unbound() {
    let scene = Scene::new(|| {
        let world = World::new(Manners::Refuses);
        domains(&world, "+6");
        mask(&world, "+4");
        world
    })
    .task("bus", |world| mask(world, "-4"))
    .task("admin", |world| {
        said(world.rig.does(|host, task| host.bus.bind(LENDER, DeviceName::Queue(apqn(4, 6)), task)))
    })
    .state(|world| world.driver_of(4, 6).to_owned())
    .check(|world, _| world.stolen());
    assert_eq!(explore(scene), [["ok", "Bound"], ["ok", "Refused"]]);
}

/// A driver that is slow to give a queue back holds up the unbind and who needs the device, and nobody else; the mask
/// write asks it while the unbind waits.
#[test]
fn a_slow_remove_holds_up_nobody_for_ever() {
    let scene = Scene::new(|| {
        let world = World::new(Manners::Takes);
        domains(&world, "+6");
        take(&world);
        world
    })
    .task("admin", |world| {
        said(world.rig.does(|host, task| host.bus.unbind(LENDER, DeviceName::Queue(apqn(4, 6)), task)))
    })
    .task("user", |world| {
        world.rig.does(|_, task| world.lender.give_back(apqn(4, 6), task));
        "ok".to_owned()
    })
    .task("bus", |world| mask(world, "+4"))
    .state(|world| world.driver_of(4, 6).to_owned())
    .check(|world, _| world.stolen());
    assert_eq!(explore(scene), [["NoDevice", "ok", "ok"], ["ok", "ok", "InUse"], ["ok", "ok", "ok"]],);
}

/// With vfio_ap beside it: a mask write that asks for queues of both gets none while either is in use.
#[test]
fn with_vfio_ap_either_may_veto() {
    const UUID: &str = "a0000000-0000-4000-8000-000000000001";
    let uuid: Uuid = ap_types::grammar::uuid(UUID.as_bytes()).expect("a UUID");
    let scene = Scene::new(move || {
        let world = World::with_vfio(Manners::Takes);
        domains(&world, "+6");
        world.rig.does(|host, task| {
            let id = host.vfio.create_mdev(uuid, task).expect("an mdev");
            host.vfio.assign(&host.bus, id, |n| Part::Domain(DomainId(n)), 6, task).expect("assigns");
        });
        assert_eq!((world.driver_of(4, 6), world.driver_of(10, 6)), ("lender", "vfio_ap"));
        world
    })
    .task("bus", |world| mask(world, "0x0820"))
    .task("user", take)
    .task("admin", move |world| {
        said(world.rig.does(|host, task| {
            let id = host.vfio.look(task, |mdevs| mdevs.find(&uuid).map(|(id, _)| id)).expect("it is there");
            host.vfio.assign(&host.bus, id, |n| Part::Adapter(AdapterId(n)), 10, task)
        }))
    })
    .check(|world, _| world.stolen());
    assert_eq!(explore(scene), [["InUse", "ok", "ok"], ["ok", "Reserved", "Reserved"]],);
}
