//! Frames as they are drawn: each machine at each size, each state of a queue, keys, mouse, resizing, colours.

#[path = "../../ap-view/tests/every/mod.rs"]
mod every;

use std::sync::Arc;

use ap_term::draw::draw;
use ap_term::{App, Depth, Step};
use ap_view::{Answer, Happened, Host, Selection, Shown};
use insta::assert_snapshot;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn shown(host: Host, moment: u64) -> Arc<Shown> {
    let events = vec![Happened { number: 1, text: "bind card04/04.0006 DRIVER=cex4queue".to_owned() }];
    Arc::new(Shown { moment, host: Arc::new(host), events: Arc::new(events), operable: true, trouble: None })
}

fn app(host: Host) -> App {
    App::new(shown(host, 1), Depth::None)
}

fn every_app() -> App {
    app(every::host(&mut every::every()))
}

fn buffer(app: &mut App, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal.draw(|frame| draw(app, frame)).expect("it draws");
    terminal.backend().buffer().clone()
}

fn text(app: &mut App, size: (u16, u16)) -> String {
    let buffer = buffer(app, size);
    let rows = buffer.content.chunks(usize::from(size.0));
    let row = |cells: &[ratatui::buffer::Cell]| -> String {
        let line: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        line.trim_end().to_owned() + "\n"
    };
    rows.map(row).collect()
}

fn press(app: &mut App, keys: &str) -> Step {
    let mut step = Step::Go;
    for word in keys.split_whitespace() {
        let code = match word {
            "Left" => KeyCode::Left,
            "Right" => KeyCode::Right,
            "Up" => KeyCode::Up,
            "Down" => KeyCode::Down,
            "End" => KeyCode::End,
            "Home" => KeyCode::Home,
            "PageDown" => KeyCode::PageDown,
            "PageUp" => KeyCode::PageUp,
            "Tab" => KeyCode::Tab,
            "Enter" => KeyCode::Enter,
            "Esc" => KeyCode::Esc,
            "Space" => KeyCode::Char(' '),
            "Backspace" => KeyCode::Backspace,
            typed => {
                for letter in typed.chars() {
                    step = app.key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE));
                }
                continue;
            }
        };
        step = app.key(KeyEvent::new(code, KeyModifiers::NONE));
    }
    step
}

fn click(app: &mut App, column: u16, row: u16) {
    let kind = MouseEventKind::Down(MouseButton::Left);
    app.mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
}

fn selected(app: &App) -> String {
    app.selection.map(|selection| selection.to_string()).unwrap_or_default()
}

#[test]
fn machines_at_three_sizes() {
    for name in ["tiny", "default", "wide", "max"] {
        let host = every::host(&mut every::machine(name));
        for size in SIZES {
            let mut app = app(host.clone());
            assert_snapshot!(format!("{name}-{}x{}", size.0, size.1), text(&mut app, size));
        }
    }
}

#[test]
fn every_state_of_a_queue() {
    for size in SIZES {
        let mut app = every_app();
        assert_snapshot!(format!("every-{}x{}", size.0, size.1), text(&mut app, size));
    }
    let mut app = every_app();
    press(&mut app, "/filtered Enter");
    assert_snapshot!("every-filtered", text(&mut app, (100, 30)));
    press(&mut app, "Tab");
    assert_snapshot!("every-mdev", text(&mut app, (100, 30)));
    press(&mut app, "?");
    assert_snapshot!("every-help", text(&mut app, (80, 36)));
}

#[test]
fn keys_select_and_search() {
    let mut app = every_app();
    let _ = text(&mut app, (80, 24));
    assert_eq!(selected(&app), "04.0006");
    press(&mut app, "Right Down");
    assert_eq!(selected(&app), "05.0016");
    press(&mut app, "Home Left");
    assert_eq!(selected(&app), "05");
    press(&mut app, "Up Right Up");
    assert_eq!(selected(&app), ".0006");
    press(&mut app, "End Down End");
    assert_eq!(selected(&app), "04.0047");
    press(&mut app, "PageDown");
    assert_eq!(selected(&app), "0c.0047");
    press(&mut app, "/free Enter");
    assert_eq!(selected(&app), "0a.0016", "it begins again after the last");
    press(&mut app, "n");
    assert_eq!(selected(&app), "0b.0047");
    press(&mut app, "n");
    press(&mut app, "/nonsense Enter");
    assert_eq!(selected(&app), "0a.0016");
    assert!(text(&mut app, (80, 24)).contains("nothing is found by `nonsense`"));
    press(&mut app, "/g1 Enter");
    assert_eq!(selected(&app), "a0000001-0000-4000-8000-000000000001");
    press(&mut app, "Down");
    assert_eq!(selected(&app), "a0000002-0000-4000-8000-000000000002");
    press(&mut app, "Tab");
    assert_eq!(selected(&app), "04.0006");
}

#[test]
fn tab_to_the_mdevs_and_back_keeps_what_was_selected() {
    let mut app = every_app();
    press(&mut app, "Down Down Right");
    let selected = app.selection;
    assert!(matches!(selected, Some(Selection::Queue(_))), "{selected:?}");
    press(&mut app, "Tab Down Tab");
    assert_eq!(app.selection, selected);
}

#[test]
fn keys_operate() {
    let mut app = every_app();
    press(&mut app, "/0b.0006 Enter");
    let step = press(&mut app, "m Enter");
    assert_eq!(step_line(&step), "echo +11 > /sys/bus/ap/apmask");
    let step = press(&mut app, "d Enter");
    assert_eq!(
        step_line(&step),
        "echo 11 > /sys/devices/vfio_ap/matrix/a0000002-0000-4000-8000-000000000002/unassign_adapter"
    );
    press(&mut app, "Tab");
    assert_eq!(step_line(&press(&mut app, "x Enter")), "guest stop g1");
    press(&mut app, "Down");
    assert_eq!(step_line(&press(&mut app, "s Enter")), "guest start g2 a0000002-0000-4000-8000-000000000002");
    assert_eq!(step_line(&press(&mut app, ":hw Space plug Space 20 Enter")), "hw plug 20");
    press(&mut app, ":nonsense Enter");
    assert!(text(&mut app, (80, 24)).contains("`nonsense` is not known here"));
    app.said(Answer::Refused("queue 0b.0006 is assigned".to_owned()));
    assert!(text(&mut app, (80, 24)).contains("queue 0b.0006 is assigned"));
    press(&mut app, ":hw Esc");
    assert_eq!(press(&mut app, "q"), Step::Quit);
}

/// A letter writes the line, and Enter is all that is left to do.
#[test]
fn each_letter_writes_its_line() {
    let (mdev, matrix) = ("a0000002-0000-4000-8000-000000000002", "/sys/devices/vfio_ap/matrix");
    let first = "a0000001-0000-4000-8000-000000000001";
    let types = "mdev_supported_types/vfio_ap-passthrough";
    let new = "a0000004-0000-4000-8000-000000000004";
    for (select, letter, line) in [
        ("/0c.0047 Enter", 'p', "hw plug 0c.0047".to_owned()),
        ("/0b.0006 Enter", 'u', "hw unplug 0b.0006".to_owned()),
        ("/0a.0016 Enter", 'a', format!("echo 22 > {matrix}/{first}/assign_domain")),
        ("/0b.0006 Enter", 'c', format!("echo {new} > {matrix}/{types}/create")),
        ("Tab Down", 'r', format!("echo 1 > {matrix}/{mdev}/remove")),
    ] {
        let mut app = every_app();
        press(&mut app, select);
        assert_eq!(press(&mut app, &letter.to_string()), Step::Go, "{letter} alone does nothing");
        assert!(text(&mut app, (200, 60)).contains(&line), "{letter} writes the line: {line}");
        assert_eq!(step_line(&press(&mut app, "Enter")), line, "{letter}");
        // What cannot be done to what is selected is said, and no line is written.
        if letter == 'p' {
            assert_eq!(press(&mut app, "u Enter"), Step::Go);
            let frame = text(&mut app, (200, 60));
            assert!(frame.contains("`u`: nothing of this kind can be done to what is selected"), "{frame}");
        }
    }
}

fn step_line(step: &Step) -> String {
    match step {
        Step::Operate(operation) => operation.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_host_that_is_only_read_cannot_be_operated() {
    let host = every::host(&mut every::every());
    let shown = Shown { operable: false, ..(*shown(host, 1)).clone() };
    let mut app = App::new(Arc::new(shown), Depth::None);
    for keys in ["1 Enter", "p Enter", ":hw Enter", "c Enter"] {
        assert_eq!(press(&mut app, keys), Step::Go, "{keys}");
    }
    assert!(text(&mut app, (80, 24)).contains("only read"));
}

#[test]
fn the_mouse_selects_what_it_points_at() {
    let mut app = every_app();
    let frame = text(&mut app, (80, 24));
    let place = |what: &str| {
        let (row, line) = frame.lines().enumerate().find(|(_, line)| line.contains(what)).expect(what);
        let column = line.chars().count() - line[line.find(what).expect(what)..].chars().count();
        (u16::try_from(column).expect("small"), u16::try_from(row).expect("small"))
    };
    let (column, _) = place("0016");
    let (_, row) = place("0b CEX7C");
    click(&mut app, column + 1, row);
    assert_eq!(selected(&app), "0b.0016");
    let (column, row) = place("0c CEX7C");
    click(&mut app, column, row);
    assert_eq!(selected(&app), "0c");
    let (column, row) = place("0047");
    click(&mut app, column, row);
    assert_eq!(selected(&app), ".0047");
    let (column, row) = place("M2 a0000002");
    click(&mut app, column, row);
    assert!(selected(&app).starts_with("a0000002"), "{}", selected(&app));
    for (column, row) in [(0, 0), (79, 23), (200, 200), (40, 8)] {
        click(&mut app, column, row);
    }
}

#[test]
fn a_large_matrix_scrolls_and_has_an_overview() {
    let mut app = app(every::host(&mut every::machine("wide")));
    let _ = text(&mut app, (80, 24));
    press(&mut app, "/3f.0054 Enter");
    let frame = text(&mut app, (80, 24));
    assert!(frame.contains("3f CEX8C"), "{frame}");
    press(&mut app, "o");
    assert_snapshot!("wide-overview", text(&mut app, (80, 24)));
    press(&mut app, "Left Enter");
    assert!(selected(&app).starts_with("3f.00"), "{}", selected(&app));
}

#[test]
fn no_size_is_too_small_or_too_large() {
    for name in ["tiny", "max"] {
        let host = every::host(&mut every::machine(name));
        let mut app = app(host);
        for keys in ["End", "o", "PageDown", "?", "Esc /0 Enter"] {
            press(&mut app, keys);
            for size in [(1, 1), (19, 5), (20, 6), (33, 9), (80, 4), (79, 200), (300, 7), (500, 300)] {
                let _ = buffer(&mut app, size);
                click(&mut app, size.0 / 2, size.1 / 2);
            }
        }
    }
}

#[test]
fn a_resize_keeps_what_is_selected_in_sight() {
    let mut app = app(every::host(&mut every::machine("max")));
    press(&mut app, "/80.0080 Enter");
    for size in [(200, 60), (80, 24), (120, 40), (60, 16)] {
        let frame = text(&mut app, size);
        assert!(frame.contains("80 CEX8C"), "at {size:?}: {frame}");
    }
}

#[test]
fn what_is_selected_stays_selected_while_it_is_there() {
    let mut session = every::every();
    let mut app = app(every::host(&mut session));
    press(&mut app, "/0b.0006 Enter");
    every::operate(&mut session, "hw unplug 4");
    app.show(shown(every::host(&mut session), 2));
    assert_eq!(selected(&app), "0b.0006");
    press(&mut app, "Tab Down Down");
    assert!(selected(&app).starts_with("a0000003"));
    every::operate(
        &mut session,
        "echo 1 > /sys/devices/vfio_ap/matrix/a0000003-0000-4000-8000-000000000003/remove",
    );
    app.show(shown(every::host(&mut session), 3));
    assert!(matches!(app.selection, Some(Selection::Queue(_))), "{:?}", app.selection);
}

#[test]
fn colours_are_of_the_terminals_depth_only() {
    use ratatui::style::Color;
    let host = every::host(&mut every::every());
    let kinds = |depth: Depth| -> Vec<Color> {
        let mut app = App::new(shown(host.clone(), 1), depth);
        let buffer = buffer(&mut app, (120, 40));
        let all = buffer.content.iter().flat_map(|cell| [cell.fg, cell.bg]);
        all.filter(|color| *color != Color::Reset).collect()
    };
    assert!(kinds(Depth::None).is_empty());
    let sixteen = kinds(Depth::Sixteen);
    assert!(!sixteen.is_empty());
    assert!(sixteen.iter().all(|color| !matches!(color, Color::Rgb(..) | Color::Indexed(_))));
    assert!(kinds(Depth::Indexed).iter().all(|color| matches!(color, Color::Indexed(_))));
    assert!(kinds(Depth::True).iter().all(|color| matches!(color, Color::Rgb(..))));
}

/// The picture with which the README begins; `PICTURES=1` draws it anew.
#[test]
fn the_picture_of_the_readme_is_what_is_drawn() {
    let host = every::host(&mut every::every());
    let mut app = App::new(shown(host, 1), Depth::True);
    press(&mut app, "/filtered Enter");
    let title =
        "apmatrix view: a matrix of adapters and domains, and why queue 0c.0006 does not reach its guest";
    let drawn = ap_term::svg::svg(&buffer(&mut app, (110, 26)), title);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/pictures/view.svg");
    if std::env::var_os("PICTURES").is_some() {
        std::fs::write(path, &drawn).expect("a file");
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(there == drawn, "{path} is not what is drawn: PICTURES=1 cargo test -p ap-term draws it anew");
}

#[test]
fn what_is_longer_than_the_frame_goes_on_in_the_next_line() {
    let mut app = every_app();
    let why = "queue 04.0006 is the host's, by apmask and aqmask; queue 0a.0006 is assigned to mdev 2, which guest g1 holds: stop it";
    app.said(Answer::Refused(why.to_owned()));
    let frame = text(&mut app, (60, 24));
    let said: Vec<&str> = frame.lines().skip(21).map(str::trim).collect();
    assert_eq!(said.join(" "), why, "{frame}");
    press(&mut app, ": echo-4-5-6-7-8-9-10-11-12-13-14-15-16-17-18-19-20-21-22-23-24-25>/sys/bus/ap/apmask");
    let frame = text(&mut app, (60, 24));
    let typed: String = frame.lines().skip(22).collect();
    assert_eq!(
        typed, ":echo-4-5-6-7-8-9-10-11-12-13-14-15-16-17-18-19-20-21-22-23-24-25>/sys/bus/ap/apmask",
        "{frame}"
    );
}

#[test]
fn the_last_line_at_the_bottom_counts_the_lines_that_have_no_room() {
    let mut app = every_app();
    let answer: Vec<String> = (1..=20).map(|number| format!("answer {number}")).collect();
    app.said(Answer::Refused(answer.join("\n")));
    let frame = text(&mut app, (60, 16));
    assert_eq!(frame.matches("answer ").count(), 7, "{frame}");
    assert!(frame.contains("… 13 more lines: they need a taller terminal"), "{frame}");
}

#[test]
fn n5_a_refused_line_says_who_has_it_and_why_tells_all() {
    let mut app = every_app();
    press(&mut app, ":why Enter");
    assert!(text(&mut app, (100, 30)).contains("no write was refused here so far"));
    let Step::Operate(operation) = press(&mut app, ":echo Space +11 Space > Space /sys/bus/ap/apmask Enter")
    else {
        panic!("it is a write");
    };
    app.answered(&operation, Answer::Refused("EBUSY, Device or resource busy".to_owned()));
    let frame = text(&mut app, (200, 40));
    assert!(frame.contains("EBUSY, Device or resource busy: queue"), "{frame}");
    assert!(frame.contains("assigned to mdev") && frame.contains("(`:why` tells more)"), "{frame}");
    press(&mut app, ":why Enter");
    let frame = text(&mut app, (200, 40));
    for part in ["echo +11 > /sys/bus/ap/apmask", "why: queue", "rule: ", "change: "] {
        assert!(frame.contains(part), "{part}: {frame}");
    }
    // The lines that it proposes are whole, as they would be typed; where they have no room it says how many are left.
    let proposed = frame.lines().filter(|line| line.trim_start().starts_with("echo ")).nth(1);
    assert!(proposed.is_some_and(|line| line.contains("/matrix/a000000")), "{frame}");
    let frame = text(&mut app, (60, 16));
    assert!(frame.contains("more lines: they need a taller terminal"), "{frame}");
    press(&mut app, ":why Space apmask Space nonsense Enter");
    assert!(text(&mut app, (200, 40)).contains("`nonsense` is not a text for apmask"));
    let uuid = "a0000002-0000-4000-8000-000000000002";
    let event = ap_view::Happened { number: 1, text: format!("change {uuid}: refused") };
    app.show(ap_view::Shown { events: std::sync::Arc::new(vec![event]), ..(*app.shown).clone() }.into());
    let frame = text(&mut app, (200, 40));
    assert!(frame.contains(": refused") && !frame.contains(&format!("change {uuid}")), "{frame}");
}

#[test]
fn mdevs_of_equal_beginning_are_told_apart() {
    let mut session = every::machine("tiny");
    for uuid in [
        "a0000000-0000-4000-8000-000000000001",
        "a0000000-0000-4000-8000-000000000002",
        "b0000000-0000-4000-8000-000000000002",
    ] {
        let create = "devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create";
        ap_apply::tree::Tree::write(&mut session, create, &format!("{uuid}\n")).expect("it is made");
    }
    let frame = text(&mut app(every::host(&mut session)), (80, 24));
    for name in ["a0000000…0001 ", "a0000000…0002 ", "b0000000… "] {
        assert!(frame.contains(name), "{name}: {frame}");
    }
}
