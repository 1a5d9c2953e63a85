//! The frame: where everything stands.

use ap_view::{Cell, Selection};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

use crate::app::{App, Zones};
use crate::grid::{Width, block_size, blocks, window};
use crate::panels;

/// From this width on everything but the matrix stands beside it.
const BROAD: u16 = 110;

/// The smallest frame in which something can be seen.
const LEAST: (u16, u16) = (20, 6);

/// Draws the app.
pub fn draw(app: &mut App, frame: &mut Frame<'_>) {
    let area = frame.area();
    app.zones = Zones::default();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        frame.render_widget(Paragraph::new("too small"), area);
        return;
    }
    let letters = panels::legend(app, usize::from(area.width));
    let said = panels::bottom(app, usize::from(area.width), usize::from(area.height / 2).max(1));
    let [title, legend, main, footer] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(u16::try_from(letters.len()).unwrap_or(1)),
        Constraint::Min(0),
        Constraint::Length(u16::try_from(said.len()).unwrap_or(1)),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(heading(app, title.width)), title);
    frame.render_widget(Paragraph::new(letters), legend);
    panes(app, frame, main);
    frame.render_widget(Paragraph::new(said), footer);
    if app.help {
        help(app, frame, area);
    }
}

fn panes(app: &mut App, frame: &mut Frame<'_>, main: Rect) {
    let wanted = LABEL + app.domains.len() * Width::Wide.columns() + 2;
    if main.width >= BROAD {
        let side = (main.width * 2 / 5).clamp(50, 90);
        let matrix_width = u16::try_from(wanted).unwrap_or(u16::MAX).clamp(40, main.width - side);
        let [matrix, side] =
            Layout::horizontal([Constraint::Length(matrix_width), Constraint::Min(50)]).areas(main);
        let listed = u16::try_from(app.shown.host.state.mdevs.len()).unwrap_or(u16::MAX).clamp(1, 8) + 2;
        let few = (side.height / 4).max(3);
        let [detail, mdevs, events] = Layout::vertical([
            Constraint::Min(8),
            Constraint::Length(listed.min(few.max(3))),
            Constraint::Length(few),
        ])
        .areas(side);
        self::matrix(app, frame, matrix);
        self::detail(app, frame, detail);
        self::mdevs(app, frame, mdevs);
        self::events(app, frame, events);
        return;
    }
    let below = match main.height {
        0..=12 => 0,
        13..=18 => 4,
        19..=26 => 5,
        _ => 8,
    };
    let [top, below] = Layout::vertical([Constraint::Min(6), Constraint::Length(below)]).areas(main);
    let matrix_width = u16::try_from(wanted).unwrap_or(u16::MAX).min(top.width / 2).max(top.width / 3);
    let [matrix, detail] =
        Layout::horizontal([Constraint::Length(matrix_width), Constraint::Min(0)]).areas(top);
    self::matrix(app, frame, matrix);
    self::detail(app, frame, detail);
    let [mdevs, events] =
        Layout::horizontal([Constraint::Percentage(55), Constraint::Percentage(45)]).areas(below);
    self::mdevs(app, frame, mdevs);
    self::events(app, frame, events);
}

fn heading(app: &App, width: u16) -> Line<'static> {
    let host = &app.shown.host;
    let mut text = format!("apmatrix  {}", host.name);
    if let Some(kernel) = &host.kernel {
        text += &format!(", Linux {kernel}");
    }
    text += &format!(
        ": {} × {}, {}",
        count(host.cards.len(), "adapter"),
        count(host.configured.domains.count(), "domain"),
        count(host.queue_count(), "queue"),
    );
    let mut spans = vec![Span::styled(text.clone(), app.depth.heading())];
    let aside = match (&app.shown.trouble, app.shown.operable) {
        (Some(trouble), _) => format!("  not the newest: {trouble}"),
        (None, true) => String::new(),
        (None, false) => "  only read".to_owned(),
    };
    if text.chars().count() + aside.chars().count() <= usize::from(width) {
        spans.push(Span::styled(aside, app.depth.dim()));
    }
    Line::from(spans)
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn help(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let lines = panels::help(app);
    let width = area.width.min(78);
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let place =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    frame.render_widget(Clear, place);
    frame.render_widget(
        Paragraph::new(lines).block(Block::bordered().title(" help: any key ends it ")),
        place,
    );
}

fn detail(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let detail = app.shown.host.detail(app.selection, app.target);
    let block = Block::bordered().title(format!(" {} ", detail.title));
    let text = Paragraph::new(panels::detail(app, &detail)).wrap(Wrap { trim: false }).block(block);
    frame.render_widget(text, area);
}

fn mdevs(app: &mut App, frame: &mut Frame<'_>, area: Rect) {
    let block = Block::bordered().title(" mdevs ");
    let inside = block.inner(area);
    app.zones.mdevs = inside;
    let lines = panels::mdevs(app, usize::from(inside.width));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn events(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let block = Block::bordered().title(" last events ");
    let inside = block.inner(area);
    let events = panels::events(app, usize::from(inside.width), usize::from(inside.height));
    frame.render_widget(Paragraph::new(events).block(block), area);
}

/// How wide an adapter's name is: `04 CEX8P x `.
const LABEL: usize = 11;

fn matrix(app: &mut App, frame: &mut Frame<'_>, area: Rect) {
    let block = Block::bordered();
    let inside = block.inner(area);
    let room =
        (usize::from(inside.height).saturating_sub(1), usize::from(inside.width).saturating_sub(LABEL));
    let view = View::of(app, room);
    let title = format!(" {} ", view.title(app));
    frame.render_widget(block.title(title), area);
    let width = view.width.columns();
    let columns = u16::try_from(view.columns * width).unwrap_or(u16::MAX);
    let label = u16::try_from(LABEL).unwrap_or(u16::MAX).min(inside.width);
    let rows = u16::try_from(view.rows).unwrap_or(u16::MAX).min(inside.height.saturating_sub(1));
    let cells = Rect {
        x: inside.x + label,
        y: inside.y + 1.min(inside.height),
        width: columns.min(inside.width - label),
        height: rows,
    };
    app.first = view.first;
    app.zones.cells = cells;
    app.zones.cell_width = u16::try_from(width).unwrap_or(1);
    app.zones.labels = Rect { x: inside.x, width: label, ..cells };
    app.zones.headings = Rect { y: inside.y, height: 1.min(inside.height), ..cells };
    app.zones.first = view.first;
    app.zones.block = view.block;
    app.zones.rows = view.rows;
    let mut lines = vec![view.headings(app)];
    lines.extend(view.lines(app));
    frame.render_widget(Paragraph::new(lines), inside);
}

/// What of the matrix is in sight.
struct View {
    first: (usize, usize),
    rows: usize,
    columns: usize,
    width: Width,
    /// How many queues a cell stands for in each direction.
    block: (usize, usize),
    overview: bool,
}

impl View {
    fn of(app: &App, room: (usize, usize)) -> View {
        let (all_rows, all_columns) = (app.adapters.len(), app.domains.len());
        if app.overview {
            let width = Width::Tight;
            let block = block_size(all_rows, all_columns, (room.0, room.1 / width.columns()));
            let (rows, columns) = (all_rows.div_ceil(block.0), all_columns.div_ceil(block.1));
            return View { first: (0, 0), rows, columns, width, block, overview: true };
        }
        let width = Width::for_cells(all_columns, room.1);
        let (rows, columns) = (room.0.min(all_rows), (room.1 / width.columns()).min(all_columns));
        let (row, column) = app.cursor();
        let first = (
            window(app.first.0, row.unwrap_or(app.first.0), rows, all_rows),
            window(app.first.1, column.unwrap_or(app.first.1), columns, all_columns),
        );
        View { first, rows, columns, width, block: (1, 1), overview: false }
    }

    fn title(&self, app: &App) -> String {
        if self.overview {
            return format!("overview: a cell is {} × {} queues", self.block.0, self.block.1);
        }
        let all = self.rows >= app.adapters.len() && self.columns >= app.domains.len();
        if all || self.rows == 0 || self.columns == 0 {
            return "adapters × domains".to_owned();
        }
        let name = |row: usize| app.adapters.get(row).map(ToString::to_string).unwrap_or_default();
        let domain = |column: usize| app.domains.get(column).map(ToString::to_string).unwrap_or_default();
        format!(
            "{}-{} × {}-{}, o: overview",
            name(self.first.0),
            name(self.first.0 + self.rows - 1),
            domain(self.first.1),
            domain(self.first.1 + self.columns - 1),
        )
    }

    fn headings(&self, app: &App) -> Line<'static> {
        let (_, cursor) = app.cursor();
        let mut spans = vec![Span::styled(format!("{:LABEL$}", "adapter"), app.depth.dim())];
        // Where there is room for no gap every other one is left out, and those beside the cursor's.
        let pointed = (0..self.columns).find(|place| {
            let column = self.first.1 + place * self.block.1;
            cursor.is_some_and(|at| (column..column + self.block.1).contains(&at))
        });
        let left_out = |place: usize| match pointed {
            _ if self.width != Width::Tight => false,
            Some(pointed) if place.abs_diff(pointed) <= 1 => place != pointed,
            _ => place % 2 == 1,
        };
        for place in 0..self.columns {
            let column = self.first.1 + place * self.block.1;
            let Some(domain) = app.domains.get(column) else { break };
            let text = match self.width {
                _ if left_out(place) => "  ".to_owned(),
                Width::Wide => format!("{domain} "),
                Width::Middle => format!("{:02x}  ", domain.0),
                Width::Narrow => format!("{:02x} ", domain.0),
                Width::Tight => format!("{:02x}", domain.0),
            };
            let mut style = if place % 2 == 0 { Style::new() } else { app.depth.dim() };
            if pointed == Some(place) {
                style = app.depth.heading().add_modifier(Modifier::UNDERLINED);
            }
            if app.selection == Some(Selection::Domain(*domain)) {
                style = app.depth.selected();
            }
            spans.push(Span::styled(text, style));
        }
        Line::from(spans)
    }

    fn label(&self, app: &App, row: usize) -> Span<'static> {
        let Some(adapter) = app.adapters.get(row) else { return Span::raw("") };
        let card = app.shown.host.cards.get(adapter);
        let kind = card.map_or("none", |card| card.kind.as_deref().unwrap_or("-"));
        let state = match card.map(|card| card.state()) {
            Some("checkstopped") => 'x',
            Some("deconfigured") => 'd',
            Some("offline") => 'o',
            _ => ' ',
        };
        let text = if self.block.0 > 1 {
            let last = (row + self.block.0).min(app.adapters.len()) - 1;
            format!("{adapter}-{}", app.adapters.get(last).map(ToString::to_string).unwrap_or_default())
        } else {
            format!("{adapter} {kind:5} {state}")
        };
        let (cursor, _) = app.cursor();
        let style = match app.selection {
            Some(Selection::Adapter(id)) if id == *adapter => app.depth.selected(),
            _ if cursor.is_some_and(|at| (row..row + self.block.0).contains(&at)) => app.depth.heading(),
            _ => Style::new(),
        };
        Span::styled(format!("{text:<LABEL$}"), style)
    }

    fn lines(&self, app: &App) -> Vec<Line<'static>> {
        if self.overview {
            return self.block_lines(app);
        }
        let from = self.first.1.min(app.domains.len());
        let domains = &app.domains[from..(from + self.columns).min(app.domains.len())];
        let rows = (self.first.0..self.first.0 + self.rows).filter_map(|row| {
            let adapter = *app.adapters.get(row)?;
            let mut spans = vec![self.label(app, row)];
            for (cell, domain) in app.shown.host.row(adapter, domains).into_iter().zip(domains) {
                let apqn = ap_types::Apqn::new(adapter, *domain);
                let selected = app.selection.is_some_and(|selection| selection.covers(&app.shown.host, apqn));
                spans.extend(self.cell(app, cell, selected));
            }
            Some(Line::from(spans))
        });
        rows.collect()
    }

    fn cell(&self, app: &App, cell: Cell, selected: bool) -> Vec<Span<'static>> {
        let mut style = app.depth.whose(cell.whose);
        if let Some(mark) = cell.mark {
            style = style.patch(app.depth.mark(mark));
        }
        if selected {
            style = style.patch(app.depth.selected());
        }
        let mut text = self.width.cell(cell, selected);
        // The gap between two cells has no colour.
        let gap = self.width != Width::Tight && text.ends_with(' ');
        if gap {
            text.pop();
        }
        let mut spans = vec![Span::styled(text, style)];
        if gap {
            spans.push(Span::raw(" "));
        }
        spans
    }

    fn block_lines(&self, app: &App) -> Vec<Line<'static>> {
        let (row, column) = app.cursor();
        let all = blocks(&app.shown.host, &app.adapters, &app.domains, self.block);
        let lines = all.into_iter().enumerate().map(|(at_row, blocks)| {
            let mut spans = vec![self.label(app, at_row * self.block.0)];
            for (at_column, block) in blocks.into_iter().enumerate() {
                let letter = block.most.letter();
                let letter = if block.mixed { letter.to_ascii_lowercase() } else { letter };
                let mark = block.mark.map_or(' ', |mark| mark.letter());
                let here = row.is_some_and(|row| row / self.block.0 == at_row)
                    && column.is_some_and(|column| column / self.block.1 == at_column);
                let mut style = app.depth.whose(block.most);
                if here {
                    style = style.patch(app.depth.selected());
                }
                spans.push(Span::styled(format!("{letter}{mark}"), style));
            }
            Line::from(spans)
        });
        lines.collect()
    }
}
