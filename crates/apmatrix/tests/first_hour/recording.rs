//! H25: a session in the terminal, recorded as a picture that plays itself: `docs/pictures/session.svg`.
//!
//! What is shown is what the program prints now; the times are those of somebody who types, and no clock's.

use std::fmt::Write as _;
use std::fs;

use crate::pseudo::Terminal;

const PROMPT: &str = "tiny:/sys# ";
/// What is typed.
const TYPED: [&str; 9] = [
    "echo -4 > /sys/bus/ap/apmask",
    "M=/sys/devices/vfio_ap/matrix; U=62177883-f1bb-47f0-914d-32a22e3a8804",
    "echo $U > $M/mdev_supported_types/vfio_ap-passthrough/create",
    "echo 4 > $M/$U/assign_adapter; echo 6 > $M/$U/assign_domain",
    "guest start g1 $U",
    "apmatrix ls 04",
    "echo +4 > /sys/bus/ap/apmask",
    "why",
    "exit",
];
/// How many columns the terminal has.
const COLUMNS: u16 = 80;

/// A line of the picture, and after how many tenths of a second it is there.
struct Line {
    prompt: String,
    text: String,
    at: usize,
}

/// The text without what moves the cursor and what sets colours.
fn plain(text: &str) -> String {
    let (mut plain, mut inside) = (String::new(), false);
    for letter in text.chars() {
        match (inside, letter) {
            (false, '\u{1b}') => inside = true,
            (true, letter) => inside = !(letter.is_ascii_alphabetic() || matches!(letter, '=' | '>')),
            (false, '\r') => {}
            (false, letter) => plain.push(letter),
        }
    }
    plain
}

/// Plays the session.
fn played() -> Vec<Line> {
    let mut terminal = Terminal::start(COLUMNS, &["shell", "--machine", "tiny"]);
    terminal.until(PROMPT);
    let (mut lines, mut at) = (Vec::new(), 0);
    let mut prompt = PROMPT.to_owned();
    for typed in TYPED {
        at += 6 + typed.len() / 2;
        lines.push(Line { prompt: prompt.clone(), text: typed.to_owned(), at });
        terminal.press(&format!("{typed}\r"));
        if typed == "exit" {
            break;
        }
        // The line is shown as it is typed, then comes what it prints, and the next prompt.
        terminal.until("\n");
        let shown = plain(&terminal.until("# "));
        let (said, next) = shown.rsplit_once('\n').unwrap_or(("", &shown));
        at += 4;
        lines.extend(said.lines().map(|text| Line { prompt: String::new(), text: text.to_owned(), at }));
        prompt = next.to_owned();
    }
    assert_eq!(terminal.end().0, Some(0));
    lines
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The picture: each line comes when its time is there; who wants no motion sees all of them at once.
fn picture(lines: &[Line]) -> String {
    const ROW: usize = 18;
    let height = lines.len() * ROW + 20;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 680 {height}\" role=\"img\" font-family=\"ui-monospace, \
         'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"13\">\n\
         <title>apmatrix shell: an adapter is given to a guest, the host wants it back, and why that is refused</title>\n\
         <style>\n@keyframes come {{ to {{ opacity: 1 }} }}\n\
         text {{ fill: #d8dce4; opacity: 0; animation: come 0.1s forwards }}\n.prompt {{ fill: #7cc47c }}\n\
         @media (prefers-reduced-motion: reduce) {{ text {{ opacity: 1; animation: none }} }}\n\
         @media print {{ text {{ opacity: 1; animation: none }} }}\n</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#14161c\"/>\n"
    );
    for (row, line) in lines.iter().enumerate() {
        let y = (row + 1) * ROW + 4;
        let _ = writeln!(
            svg,
            "<text x=\"10\" y=\"{y}\" xml:space=\"preserve\" style=\"animation-delay: {}.{}s\"><tspan \
             class=\"prompt\">{}</tspan>{}</text>",
            line.at / 10,
            line.at % 10,
            escaped(&line.prompt),
            escaped(&line.text)
        );
    }
    svg + "</svg>\n"
}

#[test]
fn h25_the_recorded_session_is_what_is_printed() {
    let lines = played();
    let width = lines.iter().map(|line| (line.prompt.clone() + &line.text).chars().count()).max();
    assert!(width <= Some(COLUMNS.into()), "{width:?}");
    let drawn = picture(&lines);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/pictures/session.svg");
    if std::env::var_os("PICTURES").is_some() {
        fs::write(path, &drawn).expect("a file");
    }
    let there = fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == drawn,
        "{path} is not what is printed: PICTURES=1 cargo test -p apmatrix --test first_hour h25 records it anew\n{drawn}"
    );
}
