//! The page: served in three files, or alone in one with what it shows inside.

use std::collections::BTreeMap;

use ap_types::Apqn;
use ap_view::{Host, Selection};
use schemars::JsonSchema;
use serde::Serialize;

use crate::document::{Details, State};

/// The page's HTML, as it is served.
pub const HTML: &str = include_str!("page/page.html");
/// Its looks.
pub const CSS: &str = include_str!("page/page.css");
/// The sign by which browsers tell it from other pages.
pub const ICON: &str = include_str!("page/icon.svg");
/// What it does.
pub const JS: &str = include_str!("page/page.js");

/// Up to so many queues, a page that stands alone also holds what is said of each.
const MOST_DETAILED: usize = 600;

/// What a page that stands alone shows: one host, or a host after each step of something.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Frozen {
    /// Always `apmatrix.page/1`.
    schema: &'static str,
    /// What it is.
    title: String,
    /// Each step, the first one is the host before all of them.
    steps: Vec<Step>,
}

/// A host at one step.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Step {
    /// What the step is for; empty for the first.
    why: String,
    /// The line that does it; empty for the first.
    line: String,
    state: State,
    /// What is said of each thing that can be selected, by its name.
    details: BTreeMap<String, Details>,
}

impl Frozen {
    /// One host.
    #[must_use]
    pub fn host(title: &str, host: &Host) -> Frozen {
        let mut frozen = Frozen { schema: "apmatrix.page/1", title: title.to_owned(), steps: Vec::new() };
        frozen.step("", "", host);
        frozen
    }

    /// The host after another step: what it is for, and the line that does it.
    pub fn step(&mut self, why: &str, line: &str, host: &Host) {
        let mut state = State::of_host(host);
        state.moment = u64::try_from(self.steps.len()).unwrap_or(u64::MAX).saturating_add(1);
        let (why, line) = (why.to_owned(), line.to_owned());
        let mut details = details(host);
        if !self.steps.is_empty() {
            // What could be done next instead is not what a page of steps is for, and much.
            let all =
                self.steps.iter_mut().flat_map(|step| step.details.values_mut()).chain(details.values_mut());
            all.for_each(|details| details.actions.clear());
        }
        self.steps.push(Step { why, line, state, details });
    }

    /// The page.
    #[must_use]
    pub fn page(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        // Inside of a script element only `</` and `<!--` mean anything.
        let json = json.replace('<', "\\u003c");
        let head = format!(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
             script-src 'unsafe-inline'\">\n<style>\n{CSS}</style>\n\
             <script type=\"application/json\" id=\"frozen\">{json}</script>"
        );
        let page = HTML.replace("<link rel=\"icon\" href=\"/icon.svg\">\n", "");
        let page = page.replace("<link rel=\"stylesheet\" href=\"/page.css\">", &head);
        // At the end, when everything that it looks for is there.
        let page = page.replace("<script src=\"/page.js\" defer></script>\n", "");
        page.replace("</body>", &format!("<script>\n{JS}</script>\n</body>"))
    }
}

fn details(host: &Host) -> BTreeMap<String, Details> {
    let (adapters, domains) = (host.adapters(), host.domains());
    let mut all: Vec<Selection> = host.state.mdevs.keys().copied().map(Selection::Mdev).collect();
    if adapters.count() * domains.count() <= MOST_DETAILED {
        all.extend(adapters.iter().map(Selection::Adapter));
        all.extend(domains.iter().map(Selection::Domain));
        for adapter in adapters {
            all.extend(domains.iter().map(|domain| Selection::Queue(Apqn::new(adapter, domain))));
        }
    }
    let said = |select| Details::of(&host.detail(Some(select), None), Some(select));
    let mut details: BTreeMap<_, _> =
        all.into_iter().map(|select| (select.to_string(), said(select))).collect();
    details.insert(String::new(), Details::of(&host.detail(None, None), None));
    details
}
