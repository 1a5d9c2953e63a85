//! How far a long command is, on standard error; nothing if that is no terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of a thousand parts after a title, with a message and the time.
#[must_use]
pub fn bar(title: &str) -> ProgressBar {
    let bar = styled(ProgressBar::new(1000), "{prefix} {wide_bar} {percent:>3} % {msg} {elapsed}");
    bar.set_prefix(title.to_owned());
    bar
}

/// A line with a message, for work of which nobody knows how much there is.
#[must_use]
pub fn line() -> ProgressBar {
    styled(ProgressBar::new_spinner(), "{spinner} {msg}")
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
