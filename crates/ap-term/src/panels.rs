//! The texts beside the matrix: what is selected, mediated devices, events, legend, help.

use ap_view::{Detail, Mark, Verdict, Whose};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::app::{App, Typing};

/// What is said of what is selected.
pub(crate) fn detail(app: &App, detail: &Detail) -> Vec<Line<'static>> {
    let depth = app.depth;
    let mut lines: Vec<Line<'static>> =
        detail.reasons.iter().map(|reason| Line::raw(reason.clone())).collect();
    let facts: Vec<String> = detail.facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
    if !facts.is_empty() {
        lines.push(Line::styled(facts.join(" · "), depth.dim()));
    }
    if !detail.actions.is_empty() {
        let heading =
            if app.shown.operable { "Next (press its number):" } else { "The next write, if there was one:" };
        lines.push(Line::styled(heading, depth.heading()));
    }
    for (number, action) in (1..).zip(&detail.actions) {
        let shown = if number < 10 { number.to_string() } else { " ".to_owned() };
        let (sign, style, rest) = match &action.verdict {
            Verdict::Done(_) => ("yes", depth.done(), None),
            Verdict::Unasked => ("", depth.dim(), None),
            Verdict::Refused { answer, why, remedy } => {
                let answer = answer.words();
                ("no", depth.refused(), Some(format!("{answer}: {why}. Instead: {remedy}.")))
            }
        };
        let mut spans = vec![Span::styled(format!("{shown} "), depth.dim()), Span::raw(action.label.clone())];
        if !sign.is_empty() {
            spans.push(Span::styled(format!("  {sign}"), style));
        }
        if let Verdict::Done(effect) = &action.verdict
            && effect != "no queue changes hands"
        {
            spans.push(Span::styled(format!(": {effect}"), depth.dim()));
        }
        lines.push(Line::from(spans));
        lines.extend(rest.map(|rest| Line::styled(format!("  {rest}"), style)));
    }
    lines
}

/// A line for each mediated device.
pub(crate) fn mdevs(app: &App, width: usize) -> Vec<Line<'static>> {
    let host = &app.shown.host;
    let lines = (1..).zip(&host.state.mdevs).map(|(number, (uuid, mdev))| {
        let who = mdev.holder.as_ref().map(ToString::to_string).unwrap_or_else(|| "no guest".to_owned());
        let (gets, has) = (mdev.shadow.queue_count(), mdev.matrix.queue_count());
        let filtered = if gets < has { " ~" } else { "" };
        let name = if width < 64 { host.short(uuid) } else { uuid.to_string() };
        let whose = if mdev.holder.is_some() { Whose::Guest(number) } else { Whose::Mdev(number) };
        let text = format!(" {name}  {gets} of {has} queues{filtered}  {who}");
        let selected = app.selection == Some(ap_view::Selection::Mdev(*uuid));
        let style = if selected { app.depth.selected() } else { Style::new() };
        Line::from(vec![
            Span::styled(format!("{}{number}", whose.letter()), app.depth.whose(whose)),
            Span::styled(text, style),
        ])
    });
    let lines: Vec<_> = lines.collect();
    match (lines.is_empty(), app.shown.operable) {
        (false, _) => lines,
        (true, true) => vec![Line::styled("none yet: press c to make one", app.depth.dim())],
        (true, false) => vec![Line::styled("none", app.depth.dim())],
    }
}

/// What stands at the bottom: what is typed, the last answer, or the keys; in as many lines as it needs and there may be.
/// Of what has no place there the last line says how much it is.
pub(crate) fn bottom(app: &App, width: usize, most: usize) -> Vec<Line<'static>> {
    let mut lines = all_of_bottom(app, width);
    if lines.len() > most {
        let left = lines.len() + 1 - most;
        lines.truncate(most - 1);
        lines
            .push(Line::styled(format!("… {left} more lines: they need a taller terminal"), app.depth.dim()));
    }
    lines
}

fn all_of_bottom(app: &App, width: usize) -> Vec<Line<'static>> {
    let depth = app.depth;
    match (&app.typing, &app.message) {
        (Some(Typing::Line(text)), _) => typed(app, ":", text, width),
        (Some(Typing::Search(text)), _) => typed(app, "/", text, width),
        (None, Some((text, refused))) => {
            let style = if *refused { depth.refused() } else { depth.done() };
            let lines = text
                .lines()
                .flat_map(|line| textwrap::wrap(line, textwrap::Options::new(width).subsequent_indent("  ")));
            lines.map(|line| Line::styled(line.into_owned(), style)).collect()
        }
        (None, None) => {
            let keys = if app.shown.operable {
                "arrows select  / search  Tab mdevs  o overview  1-9 do  : line  ? help  q end"
            } else {
                "arrows select  / search  Tab mdevs  o overview  ? help  q end"
            };
            vec![Line::styled(keys, depth.dim())]
        }
    }
}

/// What is typed, with the cursor behind it, broken where the frame ends.
fn typed(app: &App, sign: &'static str, text: &str, width: usize) -> Vec<Line<'static>> {
    let letters: Vec<char> = sign.chars().chain(text.chars()).chain([' ']).collect();
    let pieces = letters.chunks(width.max(1));
    let mut lines: Vec<Vec<Span<'static>>> =
        pieces.map(|piece| vec![Span::raw(piece.iter().collect::<String>())]).collect();
    if let Some(last) = lines.last_mut() {
        // The blank at the end is the cursor.
        if let Some(span) = last.pop() {
            let text = span.content.strip_suffix(' ').unwrap_or_default().to_owned();
            last.extend([Span::raw(text), Span::styled(" ", app.depth.selected())]);
        }
    }
    if let Some(first) = lines.first_mut().and_then(|line| line.first_mut()) {
        let rest = first.content.strip_prefix(sign).unwrap_or_default().to_owned();
        *first = Span::raw(rest);
        lines[0].insert(0, Span::styled(sign, app.depth.heading()));
    }
    lines.into_iter().map(Line::from).collect()
}

/// The last events, the newest first, in lines of that width: a queue's number is not cut.
pub(crate) fn events(app: &App, width: usize, height: usize) -> Vec<Line<'static>> {
    let lines: Vec<_> = app
        .shown
        .events
        .iter()
        .rev()
        .take(height)
        .flat_map(|event| {
            let text = app.shown.host.shortened(&event.text);
            let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
            let lines = textwrap::wrap(&text, textwrap::Options::new(width).subsequent_indent("  "));
            lines.into_iter().map(|line| Line::raw(line.into_owned())).collect::<Vec<_>>()
        })
        .collect();
    if lines.is_empty() { vec![Line::styled("nothing has happened yet", app.depth.dim())] } else { lines }
}

/// What letters mean, with how many queues there are of each: owners and marks in one line, if it fits, else in two.
pub(crate) fn legend(app: &App, width: usize) -> Vec<Line<'static>> {
    let host = &app.shown.host;
    let mut counts = [0_usize; Whose::ALL.len()];
    let mut marks = [false; Mark::ALL.len()];
    for adapter in &app.adapters {
        for cell in host.row(*adapter, &app.domains) {
            let place = Whose::ALL.iter().position(|whose| whose.name() == cell.whose.name());
            counts[place.unwrap_or_default()] += 1;
            if let Some(mark) = cell.mark
                && let Some(place) = Mark::ALL.iter().position(|known| *known == mark)
            {
                marks[place] = true;
            }
        }
    }
    let mut owners = Vec::new();
    for (whose, count) in Whose::ALL.into_iter().zip(counts) {
        let always = matches!(whose, Whose::Host | Whose::Free | Whose::Mdev(_) | Whose::Guest(_));
        if count > 0 || always {
            owners.push(Span::styled(format!(" {} ", whose.letter()), app.depth.whose(whose)));
            owners.push(Span::raw(format!(" {} {count}  ", whose.name())));
        }
    }
    let mut found = Vec::new();
    for (mark, there) in Mark::ALL.into_iter().zip(marks) {
        if there {
            let word = mark.legend().split(':').next().unwrap_or_default();
            found.push(Span::styled(mark.letter().to_string(), app.depth.mark(mark)));
            found.push(Span::raw(format!(" {word}  ")));
        }
    }
    let length: usize = owners.iter().chain(&found).map(Span::width).sum();
    if found.is_empty() || length <= width {
        return vec![Line::from([owners, found].concat())];
    }
    found.insert(0, Span::raw(" "));
    vec![Line::from(owners), Line::from(found)]
}

/// The page of help.
pub(crate) fn help(app: &App) -> Vec<Line<'static>> {
    let mut lines =
        vec![Line::raw("A cell is a queue: its adapter is the row, its domain the column."), Line::raw("")];
    for whose in Whose::ALL {
        lines.push(Line::from(vec![
            Span::styled(format!(" {} ", whose.letter()), app.depth.whose(whose)),
            Span::raw(format!("  {}", whose.legend())),
        ]));
    }
    for mark in Mark::ALL {
        lines.push(Line::from(vec![
            Span::styled(format!("  {} ", mark.letter()), app.depth.mark(mark)),
            Span::raw(format!(" {}", mark.legend())),
        ]));
    }
    lines.push(Line::raw("A number behind M, G or W is the mdev's."));
    lines.push(Line::raw(""));
    let keys = [
        ("arrows, click", "select a queue; left of all: an adapter; above all: a domain"),
        ("Tab", "the list of mdevs, where queues are assigned to, and back"),
        ("/  n", "search: 04.0047, g1, free, offline; the next one"),
        ("o", "the whole matrix in blocks"),
        ("1-9", "what could be done: fills in the line, Enter does it"),
        (":", "a line of your own: echo -4 > /sys/bus/ap/apmask, or why"),
        ("p u a d m", "plug, unplug, assign, take away, a mask's bit"),
        ("c r s x", "make an mdev, remove it, start a guest, stop it"),
        ("q", "end"),
    ];
    for (key, what) in keys {
        lines.push(Line::from(vec![Span::styled(format!("{key:14}"), app.depth.heading()), Span::raw(what)]));
    }
    lines
}
