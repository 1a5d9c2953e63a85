//! Which cells are in sight: how wide a cell is, where the window stands, and blocks of cells in the overview.

use ap_types::{AdapterId, Apqn, DomainId};
use ap_view::{Host, Mark, Whose};

/// How wide a cell is, and what there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Five: letter, number, mark; headings of four digits.
    Wide,
    /// Three: letter and mark; headings of two digits.
    Narrow,
    /// Two: letter and mark, without a gap.
    Tight,
}

impl Width {
    /// In columns.
    #[must_use]
    pub fn columns(self) -> usize {
        match self {
            Width::Wide => 5,
            Width::Narrow => 3,
            Width::Tight => 2,
        }
    }

    /// The widest at which so many cells fit; the tightest if none does.
    #[must_use]
    pub fn for_cells(cells: usize, room: usize) -> Width {
        let fits = |width: &Width| width.columns() * cells <= room;
        [Width::Wide, Width::Narrow].into_iter().find(fits).unwrap_or(Width::Tight)
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
        assert_eq!(Width::for_cells(6, 29), Width::Narrow);
        assert_eq!(Width::for_cells(256, 100), Width::Tight);
    }

    #[test]
    fn blocks_are_as_large_as_they_must_be() {
        assert_eq!(block_size(256, 256, (16, 60)), (16, 5));
        assert_eq!(block_size(2, 2, (16, 60)), (1, 1));
        assert_eq!(block_size(0, 0, (0, 0)), (1, 1));
    }
}
