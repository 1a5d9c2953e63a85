//! A page as Markdown sees it: its code blocks, links, headings and prose, with the places where they stand. Knows nothing
//! of what they mean.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// A block of code.
#[derive(Debug)]
pub struct Code {
    /// Its language; `None` if it is indented and not fenced.
    pub language: Option<String>,
    pub text: String,
    /// Where it stands in the page, fences included.
    pub range: Range<usize>,
    /// The comments that stand directly before it, as `("needs", "fuse mdevctl")`.
    pub marks: Vec<(String, String)>,
    /// Whether nothing stands between it and the block before it.
    pub follows: bool,
}

impl Code {
    /// What the mark of that name says.
    pub fn mark(&self, name: &str) -> Option<&str> {
        self.marks.iter().find(|(mark, _)| mark == name).map(|(_, text)| text.as_str())
    }
}

/// A link, or a picture.
#[derive(Debug)]
pub struct Link {
    pub target: String,
    pub place: usize,
}

/// Words of a paragraph, list or table; code and headings are left out.
#[derive(Debug)]
pub struct Prose {
    pub text: String,
    /// Where they lead, if they are a link.
    pub link: Option<String>,
    pub place: usize,
}

/// One page.
#[derive(Debug)]
pub struct Page {
    /// Below the root: `docs/guide/kernels.md`.
    pub name: String,
    pub text: String,
    pub codes: Vec<Code>,
    pub links: Vec<Link>,
    pub prose: Vec<Prose>,
    /// The anchors of its headings, and the headings.
    pub anchors: BTreeMap<String, String>,
}

impl Page {
    pub fn read(name: &str) -> Page {
        let text = fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut page = Page {
            name: name.to_owned(),
            codes: Vec::new(),
            links: Vec::new(),
            prose: Vec::new(),
            anchors: BTreeMap::new(),
            text,
        };
        page.parse();
        page
    }

    fn parse(&mut self) {
        let text = self.text.clone();
        let parser =
            Parser::new_ext(&text, Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES).into_offset_iter();
        let (mut code, mut heading, mut link) = (None::<Code>, None::<String>, None::<String>);
        let (mut marks, mut directly, mut broken) = (Vec::new(), false, false);
        for (event, range) in parser {
            match event {
                Event::Start(Tag::CodeBlock(kind)) => {
                    code = Some(Code {
                        language: match kind {
                            CodeBlockKind::Fenced(language) => Some(language.into_string()),
                            CodeBlockKind::Indented => None,
                        },
                        text: String::new(),
                        range,
                        marks: std::mem::take(&mut marks),
                        follows: directly,
                    });
                }
                Event::End(TagEnd::CodeBlock) => {
                    self.codes.extend(code.take());
                    directly = true;
                }
                Event::Text(words) if code.is_some() => {
                    code.as_mut().expect("it is").text.push_str(&words);
                }
                Event::Html(html) => {
                    let inner = html.trim().strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->"));
                    if let Some((name, what)) = inner.and_then(|inner| inner.split_once(':')) {
                        marks.push((name.trim().to_owned(), what.trim().to_owned()));
                    }
                    directly = false;
                }
                Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {}
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let words = heading.take().expect("a heading began");
                    let (slug, mut number) = (slug(&words), 0);
                    let mut anchor = slug.clone();
                    while self.anchors.contains_key(&anchor) {
                        number += 1;
                        anchor = format!("{slug}-{number}");
                    }
                    self.anchors.insert(anchor, words);
                    directly = false;
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    self.links.push(Link { target: dest_url.to_string(), place: range.start });
                    link = Some(dest_url.into_string());
                }
                Event::End(TagEnd::Link | TagEnd::Image) => link = None,
                Event::Text(words) | Event::Code(words) if heading.is_some() => {
                    heading.as_mut().expect("it is").push_str(&words);
                }
                // The end of a line ends no phrase.
                Event::SoftBreak => broken = true,
                Event::Text(words) if broken && self.prose.last().is_some_and(|last| last.link == link) => {
                    let last = self.prose.last_mut().expect("it is there");
                    last.text.push(' ');
                    last.text.push_str(&words);
                    broken = false;
                }
                Event::Text(words) => {
                    broken = false;
                    self.prose.push(Prose {
                        text: words.into_string(),
                        link: link.clone(),
                        place: range.start,
                    });
                    directly = false;
                }
                _ => {
                    (directly, broken) = (false, false);
                    marks.clear();
                }
            }
        }
    }

    /// The line of a place.
    pub fn line(&self, place: usize) -> usize {
        self.text[..place].matches('\n').count() + 1
    }

    /// The place, to be clicked on.
    pub fn at(&self, place: usize) -> String {
        format!("{}:{}", self.name, self.line(place))
    }

    /// The table rows whose first cell is code, by that code: the other cells.
    pub fn rows(&self) -> Vec<(String, Vec<String>)> {
        let cells = |line: &str| -> Vec<String> {
            line.trim().trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
        };
        self.text
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(cells)
            .filter_map(|cells| {
                let first = cells[0].strip_prefix('`')?.split('`').next()?.to_owned();
                Some((first, cells[1..].to_vec()))
            })
            .collect()
    }
}

/// The anchor that a heading gets, in a book and on a forge.
fn slug(heading: &str) -> String {
    heading
        .trim()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

/// All pages whose name begins so: below `docs/`, or in the root and elsewhere.
pub fn all() -> Vec<Page> {
    let mut found = Vec::new();
    walk(&root(), &root(), &mut found);
    found.sort();
    found.iter().map(|name| Page::read(name)).collect()
}

/// README.md and the pages of the book.
pub fn shown() -> Vec<Page> {
    all().into_iter().filter(|page| page.name == "README.md" || page.name.starts_with("docs/")).collect()
}

fn walk(root: &Path, directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.')
                && !matches!(name.as_str(), "target" | "dist" | "node_modules" | "build")
            {
                walk(root, &path, found);
            }
        } else if name.ends_with(".md") {
            found.push(path.strip_prefix(root).expect("below it").to_string_lossy().into_owned());
        }
    }
}

/// Where a relative link of a page leads, below the root; `None` if it leads out of it.
pub fn resolve(page: &str, target: &str) -> Option<String> {
    let mut parts: Vec<String> = page.split('/').map(str::to_owned).collect();
    parts.pop();
    for component in Path::new(target).components() {
        match component {
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}
