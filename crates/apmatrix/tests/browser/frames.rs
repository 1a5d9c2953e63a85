//! What the terminal shows of a host: each cell with the owner that its colour says, and what is said of each queue.

use std::collections::BTreeMap;
use std::sync::Arc;

use ap_term::draw::draw;
use ap_term::{App, Depth};
use ap_types::Apqn;
use ap_view::{Host, Selection, Shown, Whose};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

/// Large enough that everything is in sight.
const SIZE: (u16, u16) = (240, 160);

/// A terminal that shows a host.
pub struct Frames {
    app: App,
}

impl Frames {
    /// A terminal with all colours.
    pub fn of(host: Host) -> Frames {
        let host = Arc::new(host);
        let shown = Shown { moment: 1, host, events: Arc::default(), operable: true, trouble: None };
        Frames { app: App::new(Arc::new(shown), Depth::True) }
    }

    fn draw(&mut self, selection: Option<Selection>) -> Buffer {
        self.app.selection = selection;
        let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).expect("a terminal");
        terminal.draw(|frame| draw(&mut self.app, frame)).expect("it draws");
        terminal.backend().buffer().clone()
    }

    /// Each queue's text, and the owner whose colours it has.
    pub fn cells(&mut self) -> BTreeMap<String, (String, String)> {
        let buffer = self.draw(None);
        let zone = self.app.zones.cells;
        let width = self.app.zones.cell_width;
        assert_eq!(usize::from(zone.height), self.app.adapters.len(), "all rows are in sight");
        assert_eq!(usize::from(zone.width / width), self.app.domains.len(), "all columns are in sight");
        let mut cells = BTreeMap::new();
        for (y, adapter) in (zone.y..).zip(&self.app.adapters) {
            for (x, domain) in (zone.x..).step_by(usize::from(width)).zip(&self.app.domains) {
                let text: String = (x..x + width).map(|x| buffer[(x, y)].symbol()).collect();
                let style = buffer[(x, y)].style();
                let owners = Whose::ALL.into_iter().filter(|whose| {
                    let own = Depth::True.whose(*whose);
                    let (front, back) = (own.fg.unwrap_or_default(), own.bg.unwrap_or_default());
                    (style.fg, style.bg) == (Some(front), Some(back))
                });
                let owners: Vec<&str> = owners.map(Whose::name).collect();
                let name = Apqn::new(*adapter, *domain).to_string();
                cells.insert(name, (text.trim().to_owned(), owners.join(" or ")));
            }
        }
        cells
    }

    /// What is said of a queue, without any blanks: lines are broken where the panel ends.
    pub fn said(&mut self, queue: &str) -> String {
        let buffer = self.draw(Selection::parse(queue));
        let from = self.app.zones.cells.right();
        let rows = (0..SIZE.1).map(|y| (from..SIZE.0).map(|x| buffer[(x, y)].symbol()).collect::<String>());
        rows.collect::<String>().chars().filter(|c| !c.is_whitespace() && *c != '│').collect()
    }
}
