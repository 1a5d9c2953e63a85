//! Alphabets: which operations, from where, how deep.

use ap_bus::zcrypt::CEX4QUEUE;
use ap_task::{Flag, Kernel, Version};
use ap_types::{AdapterId, Apqn, DomainId};
use ap_vfio::VFIO_AP;

use crate::sequences::operation::{Operation, Plugged, ResetFault};

/// A set of operations of which every sequence is explored.
#[derive(Clone, Debug)]
pub struct Alphabet {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a sentence.
    pub about: &'static str,
    /// The kernel of the host.
    pub kernel: Kernel,
    /// What is done before a sequence begins; each is a beginning of its own.
    pub beginnings: Vec<Vec<Operation>>,
    /// The operations.
    pub operations: Vec<Operation>,
    /// How deep it is explored if nothing else is said; `None`: until it closes.
    pub depth: Option<u32>,
}

impl Alphabet {
    /// What its operations use of a kernel, and this one has not.
    #[must_use]
    pub fn lacks(&self, kernel: Kernel) -> Option<Flag> {
        let overrides = |operation: &&Operation| matches!(operation, Operation::Override { .. });
        let all = self.beginnings.iter().flatten().chain(&self.operations);
        all.filter(overrides)
            .find_map(|_| (!kernel.has(Flag::DriverOverride)).then_some(Flag::DriverOverride))
    }
}

/// All alphabets.
#[must_use]
pub fn alphabets() -> Vec<Alphabet> {
    vec![core(), whole(), busy(), overrides(), removals()]
}

/// The alphabet of that name.
#[must_use]
pub fn alphabet(name: &str) -> Option<Alphabet> {
    alphabets().into_iter().find(|alphabet| alphabet.name == name)
}

const BOTH: [bool; 2] = [true, false];

fn apqn(adapter: u8, domain: u8) -> Apqn {
    Apqn::new(AdapterId(adapter), DomainId(domain))
}

fn masks() -> Vec<Operation> {
    let mut all = Vec::new();
    for on in BOTH {
        all.extend([4, 10].map(|id| Operation::Apmask { on, id }));
        all.extend([6, 71].map(|id| Operation::Aqmask { on, id }));
    }
    all
}

fn assigns(mdev: u8) -> Vec<Operation> {
    let mut all = Vec::new();
    for on in BOTH {
        all.extend([4, 10].map(|id| Operation::Adapter { mdev, on, id }));
        all.extend([6, 71].map(|id| Operation::Domain { mdev, on, id }));
    }
    all
}

fn core() -> Alphabet {
    let mut operations = masks();
    operations.extend(assigns(0));
    operations.extend(assigns(1));
    for number in [0, 1] {
        operations
            .extend([Operation::Start { guest: number, mdev: number }, Operation::Stop { guest: number }]);
    }
    for on in BOTH {
        operations.push(Operation::Bind { driver: VFIO_AP, on, apqn: apqn(4, 6) });
    }
    Alphabet {
        name: "core",
        kernel: Kernel::default(),
        about: "masks, assignments to two mdevs with a guest each, a queue that is unbound and bound: every sequence",
        beginnings: vec![vec![Operation::Create { mdev: 0 }, Operation::Create { mdev: 1 }]],
        operations,
        depth: None,
    }
}

/// The operations of [`core`] on a kernel with `driver_override`, and overrides of two queues.
fn overrides() -> Alphabet {
    let mut operations = core().operations;
    operations.push(Operation::Bind { driver: CEX4QUEUE, on: true, apqn: apqn(4, 6) });
    operations.push(Operation::Bind { driver: CEX4QUEUE, on: false, apqn: apqn(4, 6) });
    for to in [Some(VFIO_AP), Some(CEX4QUEUE), None] {
        operations.push(Operation::Override { apqn: apqn(4, 6), to });
    }
    for to in [Some(VFIO_AP), None] {
        operations.push(Operation::Override { apqn: apqn(4, 71), to });
    }
    for on in BOTH {
        operations.push(Operation::Bind { driver: VFIO_AP, on, apqn: apqn(4, 71) });
        operations.push(Operation::Bind { driver: CEX4QUEUE, on, apqn: apqn(4, 71) });
    }
    let mut given = core().beginnings.concat();
    for domain in [6, 71] {
        let apqn = apqn(4, domain);
        given.extend([
            Operation::Override { apqn, to: Some(VFIO_AP) },
            Operation::Bind { driver: CEX4QUEUE, on: false, apqn },
            Operation::Bind { driver: VFIO_AP, on: true, apqn },
        ]);
    }
    given.extend([
        Operation::Adapter { mdev: 0, on: true, id: 4 },
        Operation::Domain { mdev: 0, on: true, id: 6 },
    ]);
    Alphabet {
        name: "overrides",
        kernel: Version::V7_1.into(),
        beginnings: core().beginnings.into_iter().chain([given]).collect(),
        about: "core, with overrides of two queues written and cleared, and both bound to either driver",
        operations,
        ..core()
    }
}

/// Removals that wait for a guest, on a kernel that takes the guest's queues at once, and all that changes what the
/// guest would have.
fn removals() -> Alphabet {
    let mut operations = assigns(0);
    for on in BOTH {
        operations.extend([
            Operation::Control { mdev: 0, on, id: 6 },
            Operation::Plug { on, what: Plugged::Adapter(4) },
            Operation::Plug { on, what: Plugged::Domain(71) },
            Operation::Bind { driver: VFIO_AP, on, apqn: apqn(4, 6) },
        ]);
    }
    operations.extend([
        Operation::Create { mdev: 0 },
        Operation::Remove { mdev: 0 },
        Operation::Start { guest: 0, mdev: 0 },
        Operation::Stop { guest: 0 },
        Operation::Reset { guest: 0 },
        Operation::Interrupts { guest: 0, on: true, apqn: apqn(4, 6) },
    ]);
    let mut beginning: Vec<Operation> = [4, 10].map(|id| Operation::Apmask { on: false, id }).to_vec();
    beginning.push(Operation::Create { mdev: 0 });
    Alphabet {
        name: "removals",
        about: "an mdev that is removed while its guest runs, with plugs, binds and assignments meanwhile",
        kernel: Version::V7_1.into(),
        beginnings: vec![beginning],
        operations,
        depth: None,
    }
}

/// The operations of [`whole`] from where both guests run, an adapter each; one has registered its request interrupt.
fn busy() -> Alphabet {
    const BOTH_DOMAINS: &[u8] = &[6, 71];
    let mut beginning: Vec<Operation> = [4, 10].map(|id| Operation::Apmask { on: false, id }).to_vec();
    let adapters: [&[u8]; 2] = [&[10], &[4]];
    for number in [0, 1] {
        let (adapters, domains) = (adapters[usize::from(number)], BOTH_DOMAINS);
        beginning.extend([
            Operation::Create { mdev: number },
            Operation::Config { mdev: number, adapters, domains, control: BOTH_DOMAINS },
            Operation::Start { guest: number, mdev: number },
        ]);
    }
    let request = Operation::Request { guest: 0 };
    beginning.push(request);
    let mut operations = whole().operations;
    operations.push(request);
    for on in BOTH {
        operations.extend([
            Operation::Interrupts { guest: 1, on, apqn: apqn(4, 6) },
            Operation::Control { mdev: 1, on, id: 71 },
            Operation::Plug { on, what: Plugged::Adapter(10) },
            Operation::Plug { on, what: Plugged::Control(71) },
        ]);
    }
    Alphabet {
        name: "busy",
        kernel: Kernel::default(),
        about: "the same and a little more, from where both guests run",
        beginnings: vec![beginning],
        operations,
        depth: Some(5),
    }
}

fn whole() -> Alphabet {
    const FOUR: &[u8] = &[4];
    const ALL: &[u8] = &[4, 10];
    const SIX: &[u8] = &[6];
    const DOMAINS: &[u8] = &[6, 71];
    let (vfio, host) = (VFIO_AP, CEX4QUEUE);
    let config = |mdev, adapters, domains| Operation::Config { mdev, adapters, domains, control: SIX };
    let mut operations = masks();
    operations.retain(|operation| !matches!(operation, Operation::Aqmask { id: 71, .. }));
    operations.extend(assigns(0));
    operations.extend([
        Operation::Adapter { mdev: 1, on: true, id: 4 },
        Operation::Domain { mdev: 1, on: true, id: 6 },
        Operation::Adapter { mdev: 1, on: false, id: 4 },
        config(0, ALL, DOMAINS),
        config(0, FOUR, SIX),
        config(1, FOUR, DOMAINS),
        Operation::Config { mdev: 0, adapters: &[], domains: &[], control: &[] },
    ]);
    for on in BOTH {
        operations.extend([
            Operation::Control { mdev: 0, on, id: 6 },
            Operation::Plug { on, what: Plugged::Adapter(4) },
            Operation::Plug { on, what: Plugged::Domain(71) },
            Operation::Plug { on, what: Plugged::Control(6) },
            Operation::Configure { on, adapter: 4 },
            Operation::Checkstop { on, adapter: 10 },
            Operation::Bind { driver: vfio, on, apqn: apqn(4, 6) },
            Operation::Bind { driver: host, on, apqn: apqn(10, 6) },
        ]);
    }
    operations.extend([
        Operation::Create { mdev: 0 },
        Operation::Create { mdev: 1 },
        Operation::Remove { mdev: 0 },
        Operation::Remove { mdev: 1 },
        Operation::Start { guest: 0, mdev: 0 },
        Operation::Start { guest: 0, mdev: 1 },
        Operation::Start { guest: 1, mdev: 1 },
        Operation::Stop { guest: 0 },
        Operation::Stop { guest: 1 },
        Operation::Reset { guest: 0 },
        Operation::Interrupts { guest: 0, on: true, apqn: apqn(4, 6) },
        Operation::Fault { apqn: apqn(4, 6), fault: ResetFault::Fails },
        Operation::Fault { apqn: apqn(4, 6), fault: ResetFault::Lasts(6) },
        Operation::Scan,
    ]);
    let zero = [4, 10].map(|id| Operation::Apmask { on: false, id });
    let create = [0, 1].map(|mdev| Operation::Create { mdev });
    let mut free = create.to_vec();
    free.extend(zero);
    Alphabet {
        name: "whole",
        kernel: Kernel::default(),
        about: "everything that can be done to a tiny machine with two mdevs and two guests",
        beginnings: vec![free],
        operations,
        depth: Some(6),
    }
}
