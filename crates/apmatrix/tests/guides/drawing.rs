//! The drawing of the concepts is well-formed, and can be read on a light page and on a dark one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::pages::{Page, root};

/// An element of an SVG file, as far as it is looked at here.
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
}

/// The elements of a well-formed file.
///
/// # Panics
/// If it is not: a tag without an end, an attribute without quotes, text with a bare `&`.
fn elements(text: &str) -> Vec<Element> {
    let (mut found, mut open, mut rest) = (Vec::new(), Vec::<String>::new(), text);
    while let Some(at) = rest.find('<') {
        let words = &rest[..at];
        assert!(!words.contains('>'), "`>` in text: {words}");
        let entities =
            words.split('&').skip(1).all(|tail| tail.split_once(';').is_some_and(|(name, _)| name.len() < 8));
        assert!(entities, "a bare & in text: {words}");
        let end = rest[at..].find('>').map(|end| at + end).expect("a tag without an end");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "tags end in another order than they begin");
            continue;
        }
        let alone = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, mut left) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = BTreeMap::new();
        while !left.trim().is_empty() {
            let (key, after) = left.split_once("=\"").unwrap_or_else(|| panic!("no quotes in <{tag}>"));
            let (value, after) =
                after.split_once('"').unwrap_or_else(|| panic!("no second quote in <{tag}>"));
            assert!(
                attributes.insert(key.trim().to_owned(), value.to_owned()).is_none(),
                "{key} twice in <{tag}>"
            );
            left = after;
        }
        if !alone {
            open.push(name.to_owned());
        }
        found.push(Element { name: name.to_owned(), attributes });
    }
    assert!(open.is_empty(), "{open:?} do not end");
    found
}

/// How bright a colour `#rrggbb` is, as the contrast of texts is computed (WCAG 2).
fn brightness(colour: &str) -> f64 {
    let part = |at: usize| {
        let value =
            f64::from(u8::from_str_radix(&colour[at..at + 2], 16).expect("a colour of six digits")) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (brightness(one), brightness(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// The colours of one `svg { --name: #rrggbb; … }`.
fn palette(rule: &str) -> BTreeMap<&str, &str> {
    let inside =
        rule.split_once("svg {").and_then(|(_, rest)| rest.split_once('}')).expect("a rule for svg").0;
    inside.split(';').filter_map(|part| part.trim().strip_prefix("--")?.split_once(": ")).collect()
}

#[test]
fn h2_the_drawing_is_well_formed_and_right_in_light_and_dark() {
    let text = fs::read_to_string(root().join("docs/images/matrix.svg")).expect("the drawing");
    let style =
        text.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).expect("a style").0;
    let parsed = elements(&text.replace(style, ""));
    let drawn: Vec<&Element> =
        parsed.iter().filter(|element| matches!(element.name.as_str(), "rect" | "text" | "path")).collect();
    assert!(drawn.len() > 40, "there is something in it");

    // A page of its own, below everything: it is never drawn on the colour of somebody else's page.
    let svg = &parsed[0];
    assert!(svg.name == "svg" && svg.attributes["role"] == "img");
    let page = drawn[0];
    assert_eq!(page.attributes["class"], "page");
    assert_eq!(
        (&page.attributes["width"], &page.attributes["height"]),
        (&svg.attributes["width"], &svg.attributes["height"])
    );

    // No colour stands in an element; each class that is used has a rule, and all colours are of the palette.
    let (light, dark) = style.split_once("@media (prefers-color-scheme: dark)").expect("a dark palette");
    let rules: BTreeSet<&str> =
        style.lines().filter_map(|line| line.strip_prefix('.')?.split(' ').next()).collect();
    for element in &drawn {
        let keys: Vec<_> = element
            .attributes
            .keys()
            .filter(|key| matches!(key.as_str(), "fill" | "stroke" | "style"))
            .collect();
        assert!(keys.is_empty(), "<{}> has {keys:?}", element.name);
        for class in element.attributes.get("class").into_iter().flat_map(|classes| classes.split(' ')) {
            assert!(rules.contains(class), "the class {class} has no rule");
        }
    }
    let outside: Vec<&str> =
        style.lines().filter(|line| line.contains('#') && !line.contains("--page:")).collect();
    assert!(outside.is_empty(), "colours outside of the palettes: {outside:?}");
    let (light, dark) = (palette(light), palette(dark));
    assert_eq!(
        light.keys().collect::<Vec<_>>(),
        dark.keys().collect::<Vec<_>>(),
        "both palettes have the same names"
    );

    // Everything that is read can be read: 4.5 for text, 3 for lines, on whatever it stands.
    for palette in [&light, &dark] {
        for paper in ["page", "host", "vfio", "guest"] {
            for ink in ["ink", "soft"] {
                let seen = contrast(palette[ink], palette[paper]);
                assert!(seen >= 4.5, "{ink} on {paper}: {seen:.1}");
            }
        }
        assert!(contrast(palette["mdev"], palette["page"]) >= 4.5);
        for line in ["host-line", "vfio-line", "guest-line"] {
            assert!(contrast(palette[line], palette["page"]) >= 3.0, "{line}");
        }
    }

    let concepts = Page::read("docs/concepts.md");
    assert!(concepts.text.contains("](images/matrix.svg)"), "the page shows it");
    assert_eq!(concepts.links.iter().filter(|link| link.target.ends_with(".svg")).count(), 1, "one drawing");
}

/// The queues that it shows are those of the page's machine.
#[test]
fn h2_the_drawing_shows_the_machine_of_the_page() {
    let text = fs::read_to_string(root().join("docs/images/matrix.svg")).expect("the drawing");
    for adapter in ["04", "05", "0a"] {
        assert!(text.contains(&format!(">card{adapter}<")), "card{adapter}");
        for domain in ["0006", "0016", "0047"] {
            assert!(text.contains(&format!(">{adapter}.{domain}<")), "{adapter}.{domain}");
        }
    }
    let host = text.matches("cex4queue").count();
    let guests = text.matches(">vfio_ap<").count();
    assert_eq!((host, guests, text.matches(">not there<").count()), (3, 5, 1));
}
