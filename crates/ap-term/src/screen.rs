//! The real terminal, and the loop: keys and the mouse in, the newest moment out.
//!
//! The loop only ever asks for the newest moment. A terminal that takes long to draw misses some in between, and holds
//! up nobody.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ap_view::Live;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, DisableMouseCapture, EnableMouseCapture, Event, KeyEventKind};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use crate::app::{App, Step};
use crate::colour::Depth;
use crate::draw::draw;

/// How long a key may wait for a moment that comes.
const TURN: Duration = Duration::from_millis(30);

/// Shows a host until somebody ends it, by a key or by setting `end`.
///
/// # Errors
/// If the terminal cannot be used.
pub fn run(live: &dyn Live, depth: Depth, end: &AtomicBool) -> io::Result<()> {
    let mut out = io::stdout();
    enable_raw_mode()?;
    let _restored = Restored;
    execute!(out, EnterAlternateScreen, EnableMouseCapture)?;
    let mut terminal = Terminal::new(CrosstermBackend::new(out))?;
    let mut app = App::new(live.now(), depth);
    let mut stale = true;
    while !end.load(Ordering::Relaxed) {
        if stale {
            terminal.draw(|frame| draw(&mut app, frame))?;
            stale = false;
        }
        if event::poll(TURN)? {
            stale = true;
            let step = match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => app.key(key),
                Event::Mouse(mouse) => {
                    app.mouse(mouse);
                    Step::Go
                }
                _ => Step::Go,
            };
            match step {
                Step::Go => {}
                Step::Quit => break,
                Step::Operate(operation) => app.answered(&operation, live.operate(&operation)),
            }
        }
        let now = live.now();
        if !Arc::ptr_eq(&now, &app.shown) {
            app.show(now);
            stale = true;
        }
    }
    Ok(())
}

/// Gives the terminal back as it was, also after a panic.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        let mut out = io::stdout();
        let _ = execute!(out, DisableMouseCapture, LeaveAlternateScreen);
        let _ = disable_raw_mode();
        let _ = out.flush();
    }
}
