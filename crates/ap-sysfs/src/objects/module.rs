//! Modules that are loaded.

use ap_host::module::Module;

use crate::node::{Key, Load};
use crate::object::{Members, Object, PutMember};
use crate::tree::{Root, Tree};

/// A module that is loaded: one of the system's, or one that a registered driver says it belongs to.
pub(crate) struct ModuleView {
    /// Its name.
    pub name: &'static str,
}

impl ModuleView {
    /// Whether it is that one.
    pub(crate) fn is(&self, module: Module) -> bool {
        self.name == module.name()
    }

    /// The modules that are loaded and need it, the one that was loaded last first.
    ///
    /// # Locks
    /// As [`needs`].
    pub(crate) fn holders(&self, tree: &Tree, held: Root) -> Vec<&'static str> {
        let mut names = Vec::new();
        Modules.all(tree, Key::NONE, held, &mut |_, _, key| names.extend(tree.modules.name(key)));
        names.retain(|name| needs(name).contains(&self.name));
        names.reverse();
        names
    }

    /// How many use it: modules that need it, and of vfio_ap the guests that have a device open, as
    /// [`Host::unload_module`](ap_host::Host::unload_module) counts them.
    ///
    /// # Locks
    /// As [`ModuleView::holders`]; M.
    pub(crate) fn users(&self, tree: &Tree, held: Root) -> usize {
        let guests = |mdevs: &ap_vfio::Mdevs| mdevs.list.values().filter(|m| m.opening().is_some()).count();
        let open = if self.is(Module::VfioAp) { tree.host.vfio.look(held, guests) } else { 0 };
        self.holders(tree, held).len() + open
    }
}

/// The names of the modules that a module needs: those that it says, or, of one that a registered driver belongs to,
/// the bus.
fn needs(name: &str) -> Vec<&'static str> {
    let needed = Module::from_name(name).map_or(&[Module::Ap][..], Module::needs);
    needed.iter().map(|module| module.name()).collect()
}

/// The module of that name, if somebody's driver belongs to it. One of the system's is not said to be there before
/// it is loaded, though its drivers are registered before that. Takes the lock of the list of drivers for reading.
fn of_a_driver(tree: &Tree, name: &str, held: Root) -> Option<&'static str> {
    let drivers = tree.host.bus.drivers(held);
    drivers.into_iter().map(|driver| driver.module).find(|module| *module == name)
}

/// The module of that name, if it is loaded. Takes the lock of the modules' state for reading, or, of a module that
/// is none of the system's, that of the list of drivers.
fn named(tree: &Tree, name: &str, held: Root) -> Option<&'static str> {
    match Module::from_name(name) {
        Some(module) => tree.host.loaded(held).has(module).then(|| module.name()),
        None => of_a_driver(tree, name, held),
    }
}

/// Appends the directory's name of the module of that key.
pub(crate) fn name(tree: &Tree, key: Key, text: &mut String) {
    text.push_str(tree.modules.name(key).unwrap_or_default());
}

impl Object for ModuleView {
    /// As [`named`].
    fn find(tree: &Tree, key: Key, held: Root) -> Option<ModuleView> {
        named(tree, tree.modules.name(key)?, held).map(|name| ModuleView { name })
    }

    /// A module is listed by those that it needs.
    fn holders(tree: &Tree, listed: Key, visit: &mut dyn FnMut(Key)) {
        let needed = tree.modules.name(listed).map(needs).unwrap_or_default();
        needed.into_iter().filter_map(|name| tree.modules.key(name)).for_each(visit);
    }

    /// Takes the lock of the modules' state for reading.
    fn load(tree: &Tree, key: Key, held: Root) -> Load {
        let module = tree.modules.name(key).and_then(Module::from_name);
        module.map(|module| Load::number(tree.host.core(held).loads_of(module))).unwrap_or_default()
    }
}

/// All modules that are loaded.
pub(crate) struct Modules;

/// Takes the locks of the modules' state and of the list of drivers for reading, one at a time.
impl Members for Modules {
    fn all(&self, tree: &Tree, _: Key, held: Root, put: &mut PutMember) {
        let loaded = tree.host.loaded(held);
        let own = Module::ALL.into_iter().filter(|module| loaded.has(*module)).map(Module::name);
        let mut names: Vec<&'static str> = own.collect();
        for driver in tree.host.bus.drivers(held) {
            if Module::from_name(driver.module).is_none() && !names.contains(&driver.module) {
                names.push(driver.module);
            }
        }
        for name in names {
            if let Some(key) = tree.modules.key(name) {
                put(0, name.to_owned(), key);
            }
        }
    }

    fn named(&self, tree: &Tree, _: Key, name: &str, held: Root) -> Option<(u8, Key)> {
        let name = named(tree, name, held)?;
        tree.modules.key(name).map(|key| (0, key))
    }

    fn name(&self, tree: &Tree, _: Key, _: u8, key: Key, held: Root) -> Option<String> {
        ModuleView::find(tree, key, held).map(|module| module.name.to_owned())
    }

    fn known(&self) -> Vec<&'static str> {
        Module::ALL.map(Module::name).to_vec()
    }
}

/// The modules that need the holder.
pub(crate) struct Holders;

impl Holders {
    fn has(tree: &Tree, holder: Key, name: &str) -> bool {
        tree.modules.name(holder).is_some_and(|holder| needs(name).contains(&holder))
    }
}

/// As [`Modules`].
impl Members for Holders {
    fn all(&self, tree: &Tree, holder: Key, held: Root, put: &mut PutMember) {
        Modules.all(tree, holder, held, &mut |which, name, key| {
            if Holders::has(tree, holder, &name) {
                put(which, name, key);
            }
        });
    }

    fn named(&self, tree: &Tree, holder: Key, name: &str, held: Root) -> Option<(u8, Key)> {
        Modules.named(tree, holder, name, held).filter(|_| Holders::has(tree, holder, name))
    }

    fn name(&self, tree: &Tree, holder: Key, which: u8, key: Key, held: Root) -> Option<String> {
        Modules.name(tree, holder, which, key, held).filter(|name| Holders::has(tree, holder, name))
    }
}
