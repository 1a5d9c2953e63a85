//! The mail's own steps, and where in the models they are taken.

use explore::TraceStep;

/// A step that the mail numbers.
#[derive(Clone, Copy, Debug)]
pub struct MailStep {
    /// Its number in the mail.
    pub number: u8,
    /// What the mail says, condensed.
    pub says: &'static str,
    /// The function in which it is taken.
    function: &'static str,
    /// What is done.
    steps: &'static [&'static str],
    /// With which lock.
    level: &'static str,
}

const LOCK: &[&str] = &["lock", "try-lock"];
const UNLOCK: &[&str] = &["unlock"];

impl MailStep {
    const fn new(
        number: u8,
        function: &'static str,
        steps: &'static [&'static str],
        level: &'static str,
        says: &'static str,
    ) -> Self {
        MailStep { number, says, function, steps, level }
    }

    /// Whether this is the step: what is done, with which lock, and where (`file:line`).
    #[must_use]
    pub fn is(&self, step: &str, level: &str, at: &str) -> bool {
        self.steps.contains(&step)
            && self.level == level
            && Place::at(at).is_some_and(|place| place.function == self.function)
    }

    /// Whether this is the step of a trace.
    #[must_use]
    pub fn is_step(&self, step: &TraceStep) -> bool {
        self.is(step.step, step.on.level, &step.at)
    }
}

/// Why the callback can't use `mutex_lock`: the message of v12 07/17.
pub(super) const DEADLOCK: &[MailStep] = &[
    MailStep::new(1, "apmask_store", LOCK, "Perms", "apmask_store() takes ap_perms_mutex"),
    MailStep::new(2, "assign_adapter_store", LOCK, "Mdevs", "assign_adapter_store() takes matrix_dev->lock"),
    MailStep::new(
        3,
        "vfio_ap_mdev_resource_in_use",
        LOCK,
        "Mdevs",
        "apmask_store() calls vfio_ap_mdev_resource_in_use(), which tries to take matrix_dev->lock",
    ),
    MailStep::new(
        4,
        "ap_apqn_in_matrix_owned_by_def_drv",
        LOCK,
        "Perms",
        "assign_adapter_store() calls ap_apqn_in_matrix_owned_by_def_drv(), which tries to take ap_perms_mutex",
    ),
];

/// What is left with trylocks: Halil Pasic's answer to v12 07/17.
pub(super) const THEFT: &[MailStep] = &[
    MailStep::new(1, "apmask_store", LOCK, "Perms", "apmask_store() takes ap_perms_mutex"),
    MailStep::new(2, "vfio_ap_mdev_resource_in_use", LOCK, "Mdevs", "in-use takes matrix_dev->lock"),
    MailStep::new(
        3,
        "vfio_ap_mdev_resource_in_use",
        UNLOCK,
        "Mdevs",
        "it finds nothing, releases matrix_dev->lock, returns 0",
    ),
    MailStep::new(
        4,
        "assign_adapter_store",
        LOCK,
        "Mdevs",
        "assign_adapter_store() takes matrix_dev->lock; the queues are still bound to vfio_ap, so it assigns them",
    ),
    MailStep::new(
        5,
        "apmask_store",
        UNLOCK,
        "Perms",
        "apmask_store() updates apmask, releases ap_perms_mutex",
    ),
    MailStep::new(
        6,
        "device_reprobe",
        LOCK,
        "Device",
        "the bindings are revised: the queues are stolen from vfio_ap while used",
    ),
];

/// A place in the models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The function: in the models of the series, with the name that the mail gives it.
    pub function: &'static str,
    /// The file, as short as it stays clear.
    pub file: &'static str,
    /// The line.
    pub line: u32,
}

/// The models' files: how they are named, how the path of each ends, and its text as it is compiled.
const FILES: &[(&str, &str, &str)] = &[
    ("seed/v12/bus.rs", "ap-seed/src/v12/bus.rs", include_str!("v12/bus.rs")),
    ("seed/v12/vfio_ap.rs", "ap-seed/src/v12/vfio_ap.rs", include_str!("v12/vfio_ap.rs")),
    ("seed/v12/guest.rs", "ap-seed/src/v12/guest.rs", include_str!("v12/guest.rs")),
    ("seed/shipped.rs", "ap-seed/src/shipped.rs", include_str!("shipped.rs")),
    ("seed/overrides.rs", "ap-seed/src/overrides.rs", include_str!("overrides.rs")),
];

impl Place {
    /// The place of a trace's `file:line`, if it is in one of the models.
    #[must_use]
    pub fn at(at: &str) -> Option<Place> {
        let (path, line) = at.rsplit_once(':')?;
        let line: u32 = line.parse().ok()?;
        let (file, _, text) = FILES.iter().find(|(_, end, _)| path.replace('\\', "/").ends_with(end))?;
        let function = text.lines().take(line as usize).filter_map(function_of).last()?;
        Some(Place { function, file, line })
    }
}

/// The name of the function that begins in this line.
fn function_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let rest = ["fn ", "pub fn ", "pub(super) fn "].iter().find_map(|start| line.strip_prefix(start))?;
    rest.split(['(', '<']).next()
}
