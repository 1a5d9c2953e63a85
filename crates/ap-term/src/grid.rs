//! Which cells are in sight: how wide a cell is, where the window stands, and blocks of cells in the overview.

use ap_types::{AdapterId, Apqn, DomainId};
use ap_view::{Cell, Host, Mark, Whose};

/// How wide a cell is, and what there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Five: letter, a number of up to two digits, mark; headings of four digits.
    Wide,
    /// Four: letter, number, mark; headings of two digits.
    Middle,
    /// Three: the same, without a gap where a cell has all of them.
    Narrow,
    /// Two: letter, and mark or number; a heading over every other one.
    Tight,
}

impl Width {
    /// In columns.
    #[must_use]
    pub fn columns(self) -> usize {
        match self {
            Width::Wide => 5,
            Width::Middle => 4,
            Width::Narrow => 3,
            Width::Tight => 2,
        }
    }

    /// The widest at which so many cells fit; the tightest if none does.
    #[must_use]
    pub fn for_cells(cells: usize, room: usize) -> Width {
        let fits = |width: &Width| width.columns() * cells <= room;
        [Width::Wide, Width::Middle, Width::Narrow].into_iter().find(fits).unwrap_or(Width::Tight)
    }

    /// The text of a cell: what does not fit is left out, the number first.
    #[must_use]
    pub fn cell(self, cell: Cell, selected: bool) -> String {
        let mark = cell.mark.map(|mark| mark.letter());
        let letter = cell.whose.letter();
        let number = cell.whose.mdev().map(|number| number.to_string()).unwrap_or_default();
        let within = |room: usize| {
            let whole = [letter].into_iter().chain(number.chars()).chain(mark).collect::<String>();
            if whole.len() <= room { whole } else { [letter].into_iter().chain(mark).take(room).collect() }
        };
        // A cell that is selected is bracketed, too, where there is room: a terminal need not show what is reversed.
        match (self, selected) {
            (Width::Wide, true) => format!("{:<5}", format!("[{}]", within(3))),
            (Width::Wide, false) => format!(" {:<4}", within(4)),
            (Width::Middle, true) => format!("{:<4}", format!("[{}]", within(2))),
            (Width::Middle, false) => format!("{:<4}", within(3)),
            (Width::Narrow, _) => format!("{:<3}", within(3)),
            (Width::Tight, _) => format!("{:<2}", within(2)),
        }
    }
}

/// Where a window of `room` stands over `all` things, if it stood at `first` and the one at `at` is to be in sight.
#[must_use]
pub fn window(first: usize, at: usize, room: usize, all: usize) -> usize {
    let last = all.saturating_sub(room);
    let first = if at < first { at } else { first.max((at + 1).saturating_sub(room)) };
    first.min(last)
}

/// A block of cells in the overview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The owner that most of its queues have.
    pub most: Whose,
    /// Whether they have several owners.
    pub mixed: bool,
    /// The most severe mark of all.
    pub mark: Option<Mark>,
}

/// How many cells a block has in each direction, if the blocks are to fit.
#[must_use]
pub fn block_size(rows: usize, columns: usize, room: (usize, usize)) -> (usize, usize) {
    (rows.div_ceil(room.0.max(1)).max(1), columns.div_ceil(room.1.max(1)).max(1))
}

/// The rows of blocks of a host.
#[must_use]
pub fn blocks(
    host: &Host,
    adapters: &[AdapterId],
    domains: &[DomainId],
    size: (usize, usize),
) -> Vec<Vec<Block>> {
    let rows = adapters.chunks(size.0).map(|chunk| {
        let cells: Vec<_> = chunk.iter().map(|adapter| host.row(*adapter, domains)).collect();
        let columns = (0..domains.len()).step_by(size.1);
        columns
            .map(|from| {
                let to = (from + size.1).min(domains.len());
                let inside = cells.iter().flat_map(|row| &row[from..to]);
                let mut counts = [0_usize; Whose::ALL.len()];
                let mut mark = None;
                for cell in inside {
                    let place = Whose::ALL.iter().position(|whose| whose.name() == cell.whose.name());
                    counts[place.unwrap_or_default()] += 1;
                    mark = match (mark, cell.mark) {
                        (Some(a), Some(b)) => Some(std::cmp::min::<Mark>(a, b)),
                        (a, b) => a.or(b),
                    };
                }
                let most = (0..counts.len()).max_by_key(|place| (counts[*place], counts.len() - place));
                Block {
                    most: Whose::ALL[most.unwrap_or_default()],
                    mixed: counts.iter().filter(|count| **count > 0).count() > 1,
                    mark,
                }
            })
            .collect()
    });
    rows.collect()
}

/// The queue at a row and a column.
#[must_use]
pub fn queue_at(adapters: &[AdapterId], domains: &[DomainId], row: usize, column: usize) -> Option<Apqn> {
    Some(Apqn::new(*adapters.get(row)?, *domains.get(column)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_follows_what_is_to_be_in_sight() {
        assert_eq!(window(0, 3, 10, 100), 0);
        assert_eq!(window(0, 10, 10, 100), 1);
        assert_eq!(window(50, 20, 10, 100), 20);
        assert_eq!(window(95, 99, 10, 100), 90);
        assert_eq!(window(5, 0, 10, 4), 0);
        assert_eq!(window(0, 0, 0, 0), 0);
    }

    #[test]
    fn cells_are_as_wide_as_there_is_room() {
        assert_eq!(Width::for_cells(6, 30), Width::Wide);
        assert_eq!(Width::for_cells(6, 29), Width::Middle);
        assert_eq!(Width::for_cells(6, 23), Width::Narrow);
        assert_eq!(Width::for_cells(256, 100), Width::Tight);
    }

    #[test]
    fn a_guests_number_is_seen_at_every_width() {
        let all = [Width::Wide, Width::Middle, Width::Narrow, Width::Tight];
        let texts = |cell: Cell, selected| all.map(|width| width.cell(cell, selected));
        let plain = Cell { whose: Whose::Guest(1), mark: None };
        assert_eq!(texts(plain, false), [" G1  ", "G1  ", "G1 ", "G1"]);
        assert_eq!(texts(plain, true), ["[G1] ", "[G1]", "G1 ", "G1"]);
        let marked = Cell { whose: Whose::Mdev(2), mark: Some(Mark::Filtered) };
        assert_eq!(texts(marked, false), [" M2~ ", "M2~ ", "M2~", "M~"]);
        assert_eq!(texts(marked, true), ["[M2~]", "[M~]", "M2~", "M~"]);
        let many = Cell { whose: Whose::Mdev(12), mark: Some(Mark::Filtered) };
        assert_eq!(texts(many, false), [" M12~", "M~  ", "M~ ", "M~"]);
        for width in all {
            for selected in [false, true] {
                for cell in [plain, marked, many] {
                    assert_eq!(width.cell(cell, selected).chars().count(), width.columns());
                }
            }
        }
    }

    #[test]
    fn blocks_are_as_large_as_they_must_be() {
        assert_eq!(block_size(256, 256, (16, 60)), (16, 5));
        assert_eq!(block_size(2, 2, (16, 60)), (1, 1));
        assert_eq!(block_size(0, 0, (0, 0)), (1, 1));
    }
}
