//! The attributes of modules and of their parameters. (Specification, pages 2 and 5.)

use ap_task::Flag;

use crate::attribute::{Attribute, line, ro};
use crate::attributes::bus::{default_domain, registry};
use crate::objects::module::ModuleView;

/// `/sys/module/ap/parameters`.
pub(crate) const AP_PARAMETERS: &[Attribute<ModuleView>] = &[
    ro("apmask", |t, _, task| line(registry(t, task, |r| given(&r.parameters.apmask))))
        .mode(0o440)
        .mode_with(Flag::OpenParameters, 0o444),
    ro("aqmask", |t, _, task| line(registry(t, task, |r| given(&r.parameters.aqmask))))
        .mode(0o440)
        .mode_with(Flag::OpenParameters, 0o444),
    ro("domain", |t, _, task| line(registry(t, task, default_domain)))
        .mode(0o440)
        .mode_with(Flag::OpenParameters, 0o444),
    ro("msgpool_min_items", |t, _, task| {
        line(registry(t, task, |r| r.parameters.msgpool_min_items.unwrap_or(8)))
    })
    .mode(0o440)
    .mode_with(Flag::OpenParameters, 0o400),
    ro("poll_thread", |t, _, task| line(registry(t, task, |r| r.parameters.poll_thread.unwrap_or(0))))
        .mode(0o440)
        .mode_with(Flag::OpenParameters, 0o444),
    ro("useirq", |t, _, task| line(registry(t, task, |r| r.parameters.useirq.unwrap_or(1))))
        .mode(0o440)
        .mode_with(Flag::OpenParameters, 0o444),
];

/// `/sys/module/zcrypt/parameters`. (Page 7.)
pub(crate) const ZCRYPT_PARAMETERS: &[Attribute<ModuleView>] =
    &[ro("mempool_threshold", |t, _, task| line(t.host.core(task).mempool_threshold))
        .mode(0o440)
        .mode_with(Flag::OpenParameters, 0o400)];

fn given(parameter: &Option<String>) -> String {
    parameter.clone().unwrap_or_else(|| "(null)".into())
}
