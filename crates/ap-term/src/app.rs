//! What is selected, typed and searched, and what a key or a click does to it.

use std::sync::Arc;

use ap_types::{AdapterId, Apqn, DomainId, Uuid};
use ap_view::action::{Action, Sort};
use ap_view::{Answer, Operation, Selection, Shown, Store, question};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use crate::colour::Depth;
use crate::grid::queue_at;

/// What is to be done after a key or a click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing but to draw again.
    Go,
    /// The end.
    Quit,
    /// An operation is to be carried out; what it says goes to [`App::said`].
    Operate(Operation),
}

/// What keys go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// The matrix.
    Matrix,
    /// The list of mediated devices.
    Mdevs,
}

/// What is typed at the bottom, if anything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typing {
    /// An operation.
    Line(String),
    /// What to search.
    Search(String),
}

/// Where things were drawn last, for clicks.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    /// The cells.
    pub cells: Rect,
    /// How wide a cell was.
    pub cell_width: u16,
    /// The adapters' names.
    pub labels: Rect,
    /// The domains' names.
    pub headings: Rect,
    /// The list of mediated devices.
    pub mdevs: Rect,
    /// The first row and column in sight.
    pub first: (usize, usize),
    /// How many queues a cell stood for in each direction: more than one in the overview.
    pub block: (usize, usize),
    /// How many rows were in sight.
    pub rows: usize,
}

/// The app.
#[derive(Clone, Debug)]
pub struct App {
    /// What is shown.
    pub shown: Arc<Shown>,
    /// How many colours there are.
    pub depth: Depth,
    /// What keys go to.
    pub focus: Focus,
    /// What is selected.
    pub selection: Option<Selection>,
    /// What was selected when the list of mediated devices was turned to.
    pub left: Option<Selection>,
    /// Where queues would be assigned to: the mediated device that was selected last.
    pub target: Option<Uuid>,
    /// What is typed.
    pub typing: Option<Typing>,
    /// The last text that was searched.
    pub searched: String,
    /// Whether the whole matrix is shown in blocks.
    pub overview: bool,
    /// Whether help is shown.
    pub help: bool,
    /// The last write that was refused, for `:why`.
    pub refused: Option<Store>,
    /// The last answer, and whether it was a refusal.
    pub message: Option<(String, bool)>,
    /// The first row and column in sight.
    pub first: (usize, usize),
    /// Where things were drawn last.
    pub zones: Zones,
    /// The adapters, a row each.
    pub adapters: Vec<AdapterId>,
    /// The domains, a column each.
    pub domains: Vec<DomainId>,
}

impl App {
    /// An app that shows a moment.
    #[must_use]
    pub fn new(shown: Arc<Shown>, depth: Depth) -> App {
        let mut app = App {
            shown,
            depth,
            focus: Focus::Matrix,
            selection: None,
            target: None,
            typing: None,
            searched: String::new(),
            overview: false,
            help: false,
            message: None,
            refused: None,
            left: None,
            first: (0, 0),
            zones: Zones::default(),
            adapters: Vec::new(),
            domains: Vec::new(),
        };
        app.arrange();
        app.selection = queue_at(&app.adapters, &app.domains, 0, 0).map(Selection::Queue);
        app
    }

    /// A later moment is to be shown. What was selected stays selected, if it is still there.
    pub fn show(&mut self, shown: Arc<Shown>) {
        self.shown = shown;
        self.arrange();
        if let Some(selection) = self.selection
            && !self.shown.host.has(selection)
        {
            self.selection = queue_at(&self.adapters, &self.domains, 0, 0).map(Selection::Queue);
            self.focus = Focus::Matrix;
        }
    }

    /// What came of an operation: as [`App::said`], and of a write that was refused why.
    pub fn answered(&mut self, operation: &Operation, answer: Answer) {
        let store = operation.store().filter(|_| matches!(answer, Answer::Refused(_)));
        self.said(answer);
        if let Some(store) = store {
            // Asked once, for it is shown once.
            let why = self.shown.host.why(&store);
            if let (Some(why), Some((text, _))) = (why, &mut self.message) {
                *text = format!("{text}: {why} (`:why` tells more)");
            }
            self.refused = Some(store);
        }
    }

    /// `:why`, of the last write that was refused, or `:why PATH TEXT`.
    fn explain(&mut self, line: &str) {
        let asked = question(line);
        self.message = Some(match asked.as_ref().or(self.refused.as_ref()) {
            Some(store) => (self.shown.host.explained(store).join("\n"), false),
            None if line.is_empty() => ("no write was refused here so far".to_owned(), false),
            None => ("expected `why`, or `why PATH TEXT`: why apmask +4".to_owned(), true),
        });
    }

    /// What came of an operation.
    pub fn said(&mut self, answer: Answer) {
        self.message = Some(match answer {
            Answer::Done(text) if text.trim().is_empty() => ("done".to_owned(), false),
            Answer::Done(text) => (text.trim().lines().collect::<Vec<_>>().join(" · "), false),
            Answer::Waits => (Answer::WAITS.to_owned(), false),
            Answer::Refused(why) => (why, true),
        });
    }

    fn arrange(&mut self) {
        self.adapters = self.shown.host.adapters().iter().collect();
        self.domains = self.shown.host.domains().iter().collect();
    }

    /// What one could do next to what is selected, as far as it is shown.
    #[must_use]
    pub fn actions(&self) -> Vec<Action> {
        self.shown.host.actions(self.selection, self.target)
    }

    /// The row and the column of what is selected; where it is a whole row or column, its heading.
    #[must_use]
    pub fn cursor(&self) -> (Option<usize>, Option<usize>) {
        let row = |id: AdapterId| self.adapters.binary_search(&id).ok();
        let column = |id: DomainId| self.domains.binary_search(&id).ok();
        match self.selection {
            Some(Selection::Queue(apqn)) => (row(apqn.adapter), column(apqn.domain)),
            Some(Selection::Adapter(id)) => (row(id), None),
            Some(Selection::Domain(id)) => (None, column(id)),
            Some(Selection::Mdev(_)) | None => (None, None),
        }
    }

    fn select_at(&mut self, row: Option<usize>, column: Option<usize>) {
        let adapter = row.and_then(|row| self.adapters.get(row)).copied();
        let domain = column.and_then(|column| self.domains.get(column)).copied();
        let selection = match (adapter, domain) {
            (Some(adapter), Some(domain)) => Selection::Queue(Apqn::new(adapter, domain)),
            (Some(adapter), None) => Selection::Adapter(adapter),
            (None, Some(domain)) => Selection::Domain(domain),
            (None, None) => return,
        };
        self.selection = Some(selection);
        self.focus = Focus::Matrix;
    }

    fn select(&mut self, selection: Selection) {
        self.selection = Some(selection);
        if let Selection::Mdev(uuid) = selection {
            self.target = Some(uuid);
            self.focus = Focus::Mdevs;
        } else {
            self.focus = Focus::Matrix;
        }
    }

    /// A key was pressed.
    pub fn key(&mut self, key: KeyEvent) -> Step {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Step::Quit;
        }
        if self.typing.is_some() {
            return self.typed(key);
        }
        if self.help {
            self.help = false;
            return Step::Go;
        }
        match key.code {
            KeyCode::Char('q') => return Step::Quit,
            KeyCode::Char('?') | KeyCode::F(1) => self.help = true,
            KeyCode::Char('/') => self.typing = Some(Typing::Search(String::new())),
            KeyCode::Char('n') => self.search(&self.searched.clone()),
            KeyCode::Char('o') => self.overview = !self.overview,
            KeyCode::Esc => (self.message, self.overview) = (None, false),
            KeyCode::Tab | KeyCode::BackTab => self.switch_focus(),
            KeyCode::Char(':') => self.begin(String::new()),
            KeyCode::Char(digit @ '1'..='9') => {
                let place = usize::try_from(u32::from(digit) - u32::from('1')).unwrap_or_default();
                if let Some(action) = self.actions().get(place) {
                    self.begin(action.operation.to_string());
                }
            }
            KeyCode::Char(letter) => self.mnemonic(letter),
            code => self.moved(code),
        }
        Step::Go
    }

    /// The first action of a kind, for those who know its letter.
    fn mnemonic(&mut self, letter: char) {
        let sort = match letter {
            'p' => Sort::Plug,
            'u' => Sort::Unplug,
            's' => Sort::Start,
            'x' => Sort::Stop,
            'a' => Sort::Assign,
            'd' => Sort::Unassign,
            'm' => Sort::Mask,
            'c' => Sort::Create,
            'r' => Sort::Remove,
            _ => return,
        };
        match self.actions().into_iter().find(|action| action.sort == sort) {
            Some(action) => self.begin(action.operation.to_string()),
            None => {
                self.message =
                    Some((format!("`{letter}`: nothing of this kind can be done to what is selected"), true));
            }
        }
    }

    /// A line is to be typed; on a host that can only be read, that is said instead.
    fn begin(&mut self, line: String) {
        if self.shown.operable {
            self.message = None;
            self.typing = Some(Typing::Line(line));
        } else {
            let text = "this host is only read here; it would be: ".to_owned() + &line;
            self.message = Some((text.trim_end_matches(": ").to_owned(), true));
        }
    }

    fn typed(&mut self, key: KeyEvent) -> Step {
        let Some(typing) = &mut self.typing else { return Step::Go };
        let (Typing::Line(text) | Typing::Search(text)) = typing;
        match key.code {
            KeyCode::Esc => self.typing = None,
            KeyCode::Backspace => drop(text.pop()),
            KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => text.clear(),
            KeyCode::Char(letter) => text.push(letter),
            KeyCode::Enter => {
                let typing = self.typing.take();
                match typing {
                    Some(Typing::Line(line)) if line.split_whitespace().next() == Some("why") => {
                        self.explain(line.trim().trim_start_matches("why").trim());
                    }
                    Some(Typing::Line(line)) => match Operation::parse(&line) {
                        Ok(operation) => return Step::Operate(operation),
                        Err(wrong) => self.message = Some((wrong.to_string(), true)),
                    },
                    Some(Typing::Search(text)) => {
                        self.searched.clone_from(&text);
                        self.search(&text);
                    }
                    None => {}
                }
            }
            _ => {}
        }
        Step::Go
    }

    fn search(&mut self, text: &str) {
        match self.shown.host.find(text, self.selection) {
            Some(found) => {
                self.message = None;
                self.select(found);
            }
            None => {
                self.message = Some((
                    format!("nothing is found by `{text}`: try 04, 04.0047, .0047, g1, free, offline"),
                    true,
                ));
            }
        }
    }

    fn switch_focus(&mut self) {
        let first = self.shown.host.state.mdevs.keys().next().copied();
        match (self.focus, self.target.or(first)) {
            (Focus::Matrix, Some(mdev)) => {
                self.left = self.selection;
                self.select(Selection::Mdev(mdev));
            }
            (Focus::Matrix, None) => self.message = Some(("there is no mdev".to_owned(), true)),
            // Back to where one was.
            (Focus::Mdevs, _) => {
                self.selection = self.left;
                match self.cursor() {
                    (None, None) => self.select_at(Some(self.first.0), Some(self.first.1)),
                    (row, column) => self.select_at(row, column),
                }
            }
        }
    }

    fn moved(&mut self, code: KeyCode) {
        if self.focus == Focus::Mdevs {
            return self.moved_in_mdevs(code);
        }
        let (row, column) = self.cursor();
        let (step_down, step_right) = if self.overview { self.zones.block } else { (1, 1) };
        let page = self.zones.rows.max(1) * step_down;
        let (last_row, last_column) =
            (self.adapters.len().saturating_sub(1), self.domains.len().saturating_sub(1));
        let back = |at: Option<usize>, by: usize| match at {
            None | Some(0) => None,
            Some(at) => Some(at.saturating_sub(by)),
        };
        let on = |at: Option<usize>, by: usize, last: usize| Some(at.map_or(0, |at| (at + by).min(last)));
        match code {
            KeyCode::Left => {
                let to = back(column, step_right);
                if row.is_some() || to.is_some() {
                    self.select_at(row, to);
                }
            }
            KeyCode::Right => self.select_at(row, on(column, step_right, last_column)),
            KeyCode::Up => {
                let to = back(row, step_down);
                if column.is_some() || to.is_some() {
                    self.select_at(to, column);
                }
            }
            KeyCode::Down => self.select_at(on(row, step_down, last_row), column),
            KeyCode::PageUp => self.select_at(Some(row.unwrap_or(0).saturating_sub(page)), column),
            KeyCode::PageDown => self.select_at(on(row, page, last_row), column),
            KeyCode::Home => self.select_at(row, Some(0)),
            KeyCode::End => self.select_at(row, Some(last_column)),
            KeyCode::Enter if self.overview => self.overview = false,
            _ => {}
        }
    }

    fn moved_in_mdevs(&mut self, code: KeyCode) {
        let all: Vec<Uuid> = self.shown.host.state.mdevs.keys().copied().collect();
        let at = self.target.and_then(|target| all.iter().position(|uuid| *uuid == target)).unwrap_or(0);
        let to = match code {
            KeyCode::Up => at.saturating_sub(1),
            KeyCode::Down => at + 1,
            KeyCode::Home | KeyCode::PageUp => 0,
            KeyCode::End | KeyCode::PageDown => all.len().saturating_sub(1),
            KeyCode::Left => return self.switch_focus(),
            _ => return,
        };
        if let Some(uuid) = all.get(to.min(all.len().saturating_sub(1))) {
            self.select(Selection::Mdev(*uuid));
        }
    }

    /// The mouse did something.
    pub fn mouse(&mut self, event: MouseEvent) {
        let at = Position { x: event.column, y: event.row };
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) => self.clicked(at),
            MouseEventKind::ScrollDown => self.moved(KeyCode::Down),
            MouseEventKind::ScrollUp if self.cursor().0 != Some(0) => self.moved(KeyCode::Up),
            _ => {}
        }
    }

    fn clicked(&mut self, at: Position) {
        self.help = false;
        let zones = &self.zones;
        let (block_rows, block_columns) = (zones.block.0.max(1), zones.block.1.max(1));
        let row = |zone: Rect| zones.first.0 + usize::from(at.y - zone.y) * block_rows;
        let column = |zone: Rect| {
            zones.first.1 + usize::from((at.x - zone.x) / zones.cell_width.max(1)) * block_columns
        };
        if zones.cells.contains(at) {
            let (row, column) = (row(zones.cells), column(zones.cells));
            if row < self.adapters.len() && column < self.domains.len() {
                self.select_at(Some(row), Some(column));
            }
        } else if zones.labels.contains(at) {
            let row = row(zones.labels);
            self.select_at(Some(row), None);
        } else if zones.headings.contains(at) {
            let column = column(zones.headings);
            self.select_at(None, Some(column));
        } else if zones.mdevs.contains(at) {
            let place = usize::from(at.y - zones.mdevs.y);
            let found = self.shown.host.state.mdevs.keys().nth(place).copied();
            if let Some(uuid) = found {
                self.select(Selection::Mdev(uuid));
            }
        }
    }
}
