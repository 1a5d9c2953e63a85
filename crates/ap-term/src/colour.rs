//! Which style says what, by how many colours the terminal has. Letters say the same without any.

use ap_view::{Mark, Whose};
use ratatui::style::{Color, Modifier, Style};

/// How many colours a terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Depth {
    /// None: bold, underlined and reversed only.
    None,
    /// The sixteen that the terminal's owner chose.
    Sixteen,
    /// 256.
    Indexed,
    /// All.
    True,
}

impl Depth {
    /// What the environment says: `NO_COLOR`, `COLORTERM`, `TERM`.
    #[must_use]
    pub fn of(no_color: Option<&str>, colorterm: Option<&str>, term: Option<&str>) -> Depth {
        if no_color.is_some_and(|value| !value.is_empty()) || term == Some("dumb") {
            return Depth::None;
        }
        match (colorterm, term) {
            (Some("truecolor" | "24bit"), _) => Depth::True,
            (_, Some(term)) if term.contains("direct") => Depth::True,
            (_, Some(term)) if term.contains("256") => Depth::Indexed,
            _ => Depth::Sixteen,
        }
    }

    fn pick(self, sixteen: Color, indexed: u8, (r, g, b): (u8, u8, u8)) -> Color {
        match self {
            Depth::None => Color::Reset,
            Depth::Sixteen => sixteen,
            Depth::Indexed => Color::Indexed(indexed),
            Depth::True => Color::Rgb(r, g, b),
        }
    }

    /// Of a queue's owner: as the background of a cell.
    #[must_use]
    pub fn whose(self, whose: Whose) -> Style {
        let style = Style::new();
        if self == Depth::None {
            return match whose {
                Whose::Guest(_) => style.add_modifier(Modifier::BOLD),
                Whose::Wanted(_) => style.add_modifier(Modifier::UNDERLINED),
                _ => style,
            };
        }
        let light = self.pick(Color::White, 231, (255, 255, 255));
        let dark = self.pick(Color::Black, 16, (16, 18, 24));
        match whose {
            Whose::Absent => style.fg(self.pick(Color::DarkGray, 240, (98, 104, 116))),
            Whose::Host => style.fg(light).bg(self.pick(Color::Blue, 25, (31, 90, 168))),
            Whose::Free => style.fg(dark).bg(self.pick(Color::Green, 114, (124, 196, 124))),
            Whose::Mdev(_) => style.fg(dark).bg(self.pick(Color::Yellow, 221, (240, 200, 90))),
            Whose::Guest(_) => style
                .fg(light)
                .bg(self.pick(Color::Magenta, 126, (160, 40, 130)))
                .add_modifier(Modifier::BOLD),
            Whose::Unbound => style.fg(dark).bg(self.pick(Color::Gray, 250, (188, 188, 188))),
            Whose::Wanted(_) => {
                style.fg(self.pick(Color::Red, 203, (240, 96, 88))).add_modifier(Modifier::UNDERLINED)
            }
        }
    }

    /// Of a mark: what it adds to the cell that it is in.
    #[must_use]
    pub fn mark(self, mark: Mark) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        match mark {
            Mark::Checkstopped | Mark::Deconfigured => style.add_modifier(Modifier::UNDERLINED),
            Mark::Filtered | Mark::Resetting | Mark::Offline => style,
        }
    }

    /// Of what matters less.
    #[must_use]
    pub fn dim(self) -> Style {
        match self {
            Depth::None => Style::new(),
            _ => Style::new().fg(self.pick(Color::DarkGray, 245, (138, 144, 156))),
        }
    }

    /// Of headings.
    #[must_use]
    pub fn heading(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Of what would be refused.
    #[must_use]
    pub fn refused(self) -> Style {
        match self {
            Depth::None => Style::new(),
            _ => Style::new().fg(self.pick(Color::Red, 203, (240, 96, 88))),
        }
    }

    /// Of what would be done.
    #[must_use]
    pub fn done(self) -> Style {
        match self {
            Depth::None => Style::new(),
            _ => Style::new().fg(self.pick(Color::Green, 114, (124, 196, 124))),
        }
    }

    /// Of what is selected.
    #[must_use]
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_how_many_colours() {
        assert_eq!(Depth::of(Some("1"), Some("truecolor"), Some("xterm-256color")), Depth::None);
        assert_eq!(Depth::of(Some(""), Some("truecolor"), None), Depth::True);
        assert_eq!(Depth::of(None, None, Some("xterm-256color")), Depth::Indexed);
        assert_eq!(Depth::of(None, None, Some("linux")), Depth::Sixteen);
        assert_eq!(Depth::of(None, None, Some("dumb")), Depth::None);
    }

    #[test]
    fn each_depth_uses_its_own_colours_and_no_other() {
        let kind = |color: Color| match color {
            Color::Reset => Depth::None,
            Color::Rgb(..) => Depth::True,
            Color::Indexed(_) => Depth::Indexed,
            _ => Depth::Sixteen,
        };
        for depth in [Depth::None, Depth::Sixteen, Depth::Indexed, Depth::True] {
            let styles = Whose::ALL.map(|whose| depth.whose(whose));
            for style in styles.into_iter().chain([depth.dim(), depth.refused(), depth.done()]) {
                for color in [style.fg, style.bg].into_iter().flatten() {
                    assert_eq!(kind(color), depth, "{style:?}");
                }
            }
        }
    }

    #[test]
    fn owners_differ_also_without_colour() {
        let letters: std::collections::BTreeSet<char> =
            Whose::ALL.map(Whose::letter).into_iter().chain(Mark::ALL.map(Mark::letter)).collect();
        assert_eq!(letters.len(), Whose::ALL.len() + Mark::ALL.len());
    }
}
