//! Links: each leads somewhere, without a network, and each page can be found.

use std::collections::{BTreeMap, BTreeSet};

use crate::pages::{Page, all, resolve, root};

/// Where links out of the project may lead.
const ELSEWHERE: [&str; 7] = [
    "https://lore.kernel.org/",
    "https://docs.kernel.org/",
    "https://www.kernel.org/doc/",
    "https://www.ibm.com/",
    "https://rustup.rs",
    "https://rust-lang.github.io/mdBook/",
    "https://github.com/",
];

#[test]
fn h25_links_and_anchors_of_all_pages_resolve() {
    let pages: BTreeMap<String, Page> = all().into_iter().map(|page| (page.name.clone(), page)).collect();
    let (mut checked, mut wrong) = (0, Vec::new());
    for page in pages.values() {
        for link in &page.links {
            checked += 1;
            if let Err(why) = leads(&pages, page, &link.target) {
                wrong.push(format!("{}: `{}`: {why}", page.at(link.place), link.target));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {checked} links lead nowhere:\n{}", wrong.len(), wrong.join("\n"));
    assert!(checked > 100, "there are links");
}

fn leads(pages: &BTreeMap<String, Page>, page: &Page, target: &str) -> Result<(), String> {
    if target.contains("://") {
        let known = ELSEWHERE.iter().any(|start| target.starts_with(start));
        return if known { Ok(()) } else { Err("no place that links may lead to".to_owned()) };
    }
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let name = match file {
        "" => page.name.clone(),
        file => resolve(&page.name, file).ok_or("it leads out of the project")?,
    };
    if !root().join(&name).exists() {
        return Err(format!("there is no {name}"));
    }
    let Some(anchor) = anchor else { return Ok(()) };
    let other = pages.get(&name).ok_or_else(|| format!("{name} is no page, so it has no anchors"))?;
    if other.anchors.contains_key(anchor) {
        return Ok(());
    }
    let near: Vec<&str> = other.anchors.keys().map(String::as_str).collect();
    Err(format!("{name} has no such heading; it has {}", near.join(", ")))
}

#[test]
fn every_page_of_the_book_is_in_its_summary_once() {
    let summary = Page::read("docs/SUMMARY.md");
    let mut listed = BTreeSet::new();
    for link in &summary.links {
        let name = resolve(&summary.name, &link.target).expect("a page of the book");
        assert!(listed.insert(name), "SUMMARY.md lists {} twice", link.target);
    }
    let pages: BTreeSet<String> = all()
        .into_iter()
        .map(|page| page.name)
        .filter(|name| name.starts_with("docs/") && name != &summary.name)
        .collect();
    let missing: Vec<_> = pages.difference(&listed).collect();
    assert!(missing.is_empty(), "docs/SUMMARY.md lacks {missing:?}: add a line for each");
}

#[test]
fn h15_the_readme_links_every_guide() {
    let readme = Page::read("README.md");
    let linked: BTreeSet<String> =
        readme.links.iter().filter_map(|link| resolve("README.md", link.target.split('#').next()?)).collect();
    for page in all().iter().filter(|page| page.name.starts_with("docs/guide/")) {
        assert!(linked.contains(&page.name), "README.md does not link {}", page.name);
    }
}
