//! The attributes of modules and of their parameters. (Specification, pages 2 and 5.)

use ap_host::module::Module;
use ap_task::Flag;

use crate::attribute::{Attribute, line, ro};
use crate::attributes::bus::{default_domain, registry};
use crate::node::Key;
use crate::object::{Members as _, Object as _};
use crate::objects::module::{ModuleView, Modules};
use crate::tree::{Root, Tree};

/// `/sys/module/NAME`: what kmod's tools read.
pub(crate) const MODULE: &[Attribute<ModuleView>] = &[
    ro("coresize", |_, module, _| line(size(module))),
    // What only loading needs is given back after it.
    ro("initsize", |_, _, _| line(0)),
    ro("initstate", |_, _, _| line("live")),
    ro("refcnt", |t, module, task| line(module.users(t, task))),
    ro("taint", |_, _, _| line("")),
];

/// The modules as `/proc/modules` lists them, the one that was loaded last first.
pub(crate) fn listing(tree: &Tree, held: Root) -> Vec<u8> {
    let mut keys = Vec::new();
    Modules.all(tree, Key::NONE, held, &mut |_, _, key| keys.push(key));
    let mut text = String::new();
    for key in keys.into_iter().rev() {
        let Some(module) = ModuleView::find(tree, key, held) else { continue };
        let holders: String = module.holders(tree, held).iter().map(|name| format!("{name},")).collect();
        let (size, users) = (size(&module), module.users(tree, held));
        let holders = if holders.is_empty() { "-" } else { &holders };
        text += &format!("{} {size} {users} {holders} Live 0x0000000000000000\n", module.name);
    }
    text.into_bytes()
}

/// How many bytes a module takes: as large as they are on a host, which nothing depends on.
fn size(module: &ModuleView) -> u32 {
    match Module::from_name(module.name) {
        Some(Module::Ap) => 69_632,
        Some(Module::Zcrypt) => 122_880,
        Some(Module::ZcryptCex4) => 24_576,
        Some(Module::Mdev) => 24_576,
        Some(Module::VfioAp) => 49_152,
        None => 16_384,
    }
}

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
