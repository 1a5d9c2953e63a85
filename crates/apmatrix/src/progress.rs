//! How far a long command is, on standard error; nothing if that is no terminal, or one on which no escape sequences are
//! wanted.

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

/// Whether a line may be written over: not on a terminal that cannot, nor where `NO_COLOR` asks for plain text.
#[must_use]
pub fn may_write_over(term: Option<&str>, no_color: Option<&str>) -> bool {
    term != Some("dumb") && no_color.is_none_or(str::is_empty)
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    let variable = |name| std::env::var(name).ok();
    if !may_write_over(variable("TERM").as_deref(), variable("NO_COLOR").as_deref()) {
        return ProgressBar::hidden();
    }
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
