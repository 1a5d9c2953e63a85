//! Which module of a crate imports which, as its sources say, and whether that goes round in a circle.
//!
//! A module is a file (or the crate's root). It imports another one if one of its paths leads there: a `use`, or a
//! path in code, from `crate`, `super`, `self` or a module that it declares. Tests don't count. An import that runs up
//! (a child that uses what its parent takes from its children) is a circle of parent and child.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::Visit;

/// Paths of modules inside a crate: `""` is the root, `"engine::cache"` a file.
pub type Imports = BTreeMap<String, BTreeSet<String>>;

/// The modules of a crate, by path, with their sources.
pub fn modules(source: &Path) -> BTreeMap<String, String> {
    fn walk(directory: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(directory).expect("a source directory") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let module = if prefix.is_empty() { name.clone() } else { format!("{prefix}::{name}") };
            if path.is_dir() && name != "tests" {
                walk(&path, &module, found);
            } else if path.extension().is_some_and(|ext| ext == "rs") && name != "tests" {
                let module = match name.as_str() {
                    // A `main.rs` beside it is a crate of its own.
                    "lib" | "mod" => prefix.to_owned(),
                    _ => module,
                };
                let text = fs::read_to_string(&path).expect("a source file");
                found.insert(module, text);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(source, "", &mut found);
    found
}

/// What a module's syntax names.
#[derive(Default)]
struct Names {
    children: BTreeSet<String>,
    paths: Vec<Vec<String>>,
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let test = item.attrs.iter().any(|attr| {
            attr.path().is_ident("cfg")
                && attr.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
        });
        if test {
            return;
        }
        if item.content.is_none() {
            self.children.insert(item.ident.to_string());
        }
        syn::visit::visit_item_mod(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&item.tree, &mut Vec::new());
    }

    /// Who may see an item is no import.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    /// `pub(super)` says who may use an item, and uses nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        syn::visit::visit_path(self, path);
    }

    /// What stands in a macro's arguments is tokens; the paths among them are found by their first word.
    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let text = item.tokens.to_string().replace(' ', "");
        for start in ["crate::", "super::", "self::"] {
            for (at, _) in text.match_indices(start) {
                // `$crate` in a macro's rules is whoever defines the macro, seen from outside.
                if text[..at].ends_with(|c: char| c == '$' || c == '_' || c.is_alphanumeric()) {
                    continue;
                }
                let end = text[at..].find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
                let path = &text[at..end.map_or(text.len(), |end| at + end)];
                self.paths.push(path.split("::").map(str::to_owned).collect());
            }
        }
        syn::visit::visit_macro(self, item);
    }
}

impl Names {
    fn tree(&mut self, tree: &syn::UseTree, before: &mut Vec<String>) {
        match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.tree(&path.tree, before);
                before.pop();
            }
            syn::UseTree::Name(syn::UseName { ident })
            | syn::UseTree::Rename(syn::UseRename { ident, .. }) => {
                let mut path = before.clone();
                path.push(ident.to_string());
                self.paths.push(path);
            }
            syn::UseTree::Glob(_) => self.paths.push(before.clone()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, before)),
        }
    }
}

/// Which module imports which.
pub fn imports(modules: &BTreeMap<String, String>) -> Imports {
    let mut imports = Imports::new();
    for (module, text) in modules {
        let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{module}: {error}"));
        let mut names = Names::default();
        names.visit_file(&syntax);
        let own: Vec<String> =
            module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let leads_to = |path: &[String]| -> Option<String> {
            let first = path.first()?;
            let mut at = match first.as_str() {
                "crate" => Vec::new(),
                "super" => own[..own.len().saturating_sub(1)].to_vec(),
                "self" => own.clone(),
                child if names.children.contains(child) => [own.clone(), vec![first.clone()]].concat(),
                _ => return None,
            };
            let mut rest = &path[1..];
            while rest.first().is_some_and(|part| part == "super") {
                at.pop();
                rest = &rest[1..];
            }
            for part in rest {
                let next = at.iter().chain([part]).cloned().collect::<Vec<_>>().join("::");
                if !modules.contains_key(&next) {
                    break;
                }
                at.push(part.clone());
            }
            Some(at.join("::"))
        };
        let targets = names.paths.iter().filter_map(|path| leads_to(path)).filter(|target| target != module);
        imports.insert(module.clone(), targets.collect());
    }
    imports
}

/// The shortest circle through each module that is on one, each circle once.
pub fn circles(imports: &Imports) -> Vec<String> {
    let mut found = BTreeSet::new();
    for start in imports.keys() {
        // Breadth first: who was reached from whom.
        let mut from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut front = vec![start.as_str()];
        let mut closed = false;
        while !closed && !front.is_empty() {
            let mut next = Vec::new();
            for module in front {
                for target in &imports[module] {
                    if target == start {
                        from.insert(start, module);
                        closed = true;
                    } else if !from.contains_key(target.as_str()) {
                        from.insert(target, module);
                        next.push(target.as_str());
                    }
                }
            }
            front = next;
        }
        if closed {
            let mut circle = vec![start.as_str()];
            let mut at = from[start.as_str()];
            while at != start {
                circle.push(at);
                at = from[at];
            }
            circle.reverse();
            let least = circle.iter().enumerate().min_by_key(|(_, name)| **name).map_or(0, |(at, _)| at);
            circle.rotate_left(least);
            let name =
                |module: &&str| if module.is_empty() { "(root)".to_owned() } else { (*module).to_owned() };
            found.insert(circle.iter().map(name).collect::<Vec<_>>().join(" -> "));
        }
    }
    found.into_iter().collect()
}

/// The circles of modules that are given by their text.
fn circles_of(modules: &[(&str, &str)]) -> Vec<String> {
    let modules = modules.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    circles(&imports(&modules))
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let straight = [("", "mod a; mod b;"), ("a", "use crate::b::B;"), ("b", "pub struct B;")];
    assert_eq!(circles_of(&straight), [""; 0]);
    for back in
        ["use crate::a::A;", "use super::a::A;", "fn f() { crate::a::f() }", "fn f() { g!(crate::a::X) }"]
    {
        let two = [("", "mod a; mod b;"), ("a", "use crate::{b::B, std};"), ("b", back)];
        assert_eq!(circles_of(&two), ["a -> b"], "{back}");
    }
    let three = [("a", "use crate::b::X;"), ("b", "use crate::c::X;"), ("c", "use crate::a::X;")];
    assert_eq!(circles_of(&three).len(), 1);
}

#[test]
fn an_import_that_runs_up_is_found() {
    let up =
        [("a", "mod inner; pub use inner::X; pub struct Y;"), ("a::inner", "use super::Y; pub struct X;")];
    assert_eq!(circles_of(&up), ["a -> a::inner"]);
    let root = [("", "mod a; pub use a::A;"), ("a", "use crate::A;")];
    assert_eq!(circles_of(&root), ["(root) -> a"]);
    let tests =
        [("a", "mod inner; use inner::X;"), ("a::inner", "#[cfg(test)] mod tests { use super::super::Y; }")];
    assert_eq!(circles_of(&tests), [""; 0], "tests don't count");
}
