//! Which ids of a mask the host gives up, where several mdevs have queues of them: what costs least in all.
//!
//! Knows costs only; nothing of hosts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::cost::Cost;

/// An mdev in the way: it gives up all its queues that are in the way at one price, or those of each id at that id's.
pub(crate) struct Holding {
    /// What it costs that it gives them up without regard to ids.
    pub(crate) whole: Cost,
    /// What it costs that it gives up those of an id.
    pub(crate) each: Vec<(u8, Cost)>,
}

/// The same if ids are given up at all, which is a write of its own, and at least one of those is not.
pub(crate) fn ids_but_one_of(holdings: &[Holding], price: impl Fn(u8) -> Cost, those: &[u8]) -> BTreeSet<u8> {
    let free = ids_to_give_up(holdings, &price);
    if those.is_empty() || those.iter().any(|id| !free.contains(id)) {
        return free;
    }
    let never = Cost { guests: i64::from(u32::MAX), ..Cost::NOTHING };
    let but = |kept: u8| ids_to_give_up(holdings, |id| if id == kept { never } else { price(id) });
    let total = |ids: &BTreeSet<u8>| {
        let mut cost = Cost { writes: i64::from(!ids.is_empty()), ..Cost::NOTHING };
        ids.iter().for_each(|id| cost += price(*id));
        for holding in holdings {
            let mut each = Cost::NOTHING;
            holding.each.iter().filter(|(id, _)| !ids.contains(id)).for_each(|(_, one)| each += *one);
            cost += holding.whole.min(each);
        }
        cost
    };
    those.iter().map(|id| but(*id)).min_by_key(|ids| (total(ids), ids.len())).unwrap_or_default()
}

/// The ids that the host gives up, each at its price, so that this and what the mdevs give up of the others costs least
/// together; as few as can be.
///
/// This is a minimal cut: from the source to each mdev runs an edge that costs what it costs as a whole, from it to each id
/// one that costs what that id costs it, and from each id to the sink one that costs what that costs the host.
pub(crate) fn ids_to_give_up(holdings: &[Holding], price: impl Fn(u8) -> Cost) -> BTreeSet<u8> {
    let mut whole: Vec<Cost> = holdings.iter().map(|holding| holding.whole).collect();
    let mut left: BTreeMap<u8, Cost> = BTreeMap::new();
    let mut edges: BTreeMap<(usize, u8), Edge> = BTreeMap::new();
    let mut holders: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
    for (number, holding) in holdings.iter().enumerate() {
        for (id, cost) in &holding.each {
            left.entry(*id).or_insert_with(|| price(*id));
            edges.insert((number, *id), Edge { left: *cost, flow: Cost::NOTHING });
            holders.entry(*id).or_default().push(number);
        }
    }
    loop {
        let Reached { ids, mdevs, end } = reach(holdings, &whole, &left, &edges, &holders);
        let Some(end) = end else { return ids.into_keys().collect() };
        // Back from the sink: what can flow that way, and then it does.
        let mut way = Vec::new();
        let (mut id, mut most) = (end, left[&end]);
        loop {
            let from = ids[&id];
            most = most.min(edges[&(from, id)].left);
            way.push((from, id, true));
            match mdevs[&from] {
                None => {
                    most = most.min(whole[from]);
                    whole[from] -= most;
                    break;
                }
                Some(before) => {
                    most = most.min(edges[&(from, before)].flow);
                    way.push((from, before, false));
                    id = before;
                }
            }
        }
        left.entry(end).and_modify(|cost| *cost -= most);
        for (number, id, along) in way {
            edges.entry((number, id)).and_modify(|edge| {
                if along {
                    edge.left -= most;
                    edge.flow += most;
                } else {
                    edge.left += most;
                    edge.flow -= most;
                }
            });
        }
    }
}

/// What can still flow from an mdev to an id, and what does.
struct Edge {
    left: Cost,
    flow: Cost,
}

/// What is reached from the source.
struct Reached {
    /// Ids, by the mdev that each was reached from.
    ids: BTreeMap<u8, usize>,
    /// Mdevs, by the id that each was reached from; `None`: from the source.
    mdevs: BTreeMap<usize, Option<u8>>,
    /// The id from which the sink is reached.
    end: Option<u8>,
}

fn reach(
    holdings: &[Holding],
    whole: &[Cost],
    left: &BTreeMap<u8, Cost>,
    edges: &BTreeMap<(usize, u8), Edge>,
    holders: &BTreeMap<u8, Vec<usize>>,
) -> Reached {
    let first = (0..holdings.len()).filter(|number| whole[*number] > Cost::NOTHING);
    let mut reached = Reached {
        ids: BTreeMap::new(),
        mdevs: first.clone().map(|number| (number, None)).collect(),
        end: None,
    };
    let mut next: VecDeque<usize> = first.collect();
    while let Some(number) = next.pop_front() {
        for (id, _) in &holdings[number].each {
            if reached.ids.contains_key(id) || edges[&(number, *id)].left <= Cost::NOTHING {
                continue;
            }
            reached.ids.insert(*id, number);
            if left[id] > Cost::NOTHING {
                reached.end = Some(*id);
                return reached;
            }
            for other in &holders[id] {
                if edges[&(*other, *id)].flow > Cost::NOTHING && !reached.mdevs.contains_key(other) {
                    reached.mdevs.insert(*other, Some(*id));
                    next.push_back(*other);
                }
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(queues: i64) -> Cost {
        Cost { queues, ..Cost::NOTHING }
    }

    /// What it costs in all if the host gives up these ids.
    fn total(holdings: &[Holding], price: &[i64], ids: &BTreeSet<u8>) -> i64 {
        let mdev = |holding: &Holding| {
            let kept = holding.each.iter().filter(|(id, _)| !ids.contains(id));
            holding.whole.queues.min(kept.map(|(_, cost)| cost.queues).sum())
        };
        ids.iter().map(|id| price[usize::from(*id)]).sum::<i64>() + holdings.iter().map(mdev).sum::<i64>()
    }

    #[test]
    fn no_other_ids_cost_less_and_no_fewer_as_much() {
        let mut seed = 1u64;
        let mut below = |most: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % most
        };
        let mut given = 0;
        for _ in 0..3000 {
            let price: Vec<i64> = (0..5).map(|_| below(7) as i64).collect();
            let mut holdings: Vec<Holding> = Vec::new();
            for _ in 0..=below(4) {
                let whole = cost(below(9) as i64);
                let all = (0..5).map(|id| (id, cost(below(8) as i64 - 3)));
                holdings.push(Holding { whole, each: all.filter(|(_, cost)| cost.queues > 0).collect() });
            }
            holdings.retain(|one| !one.each.is_empty());
            let found = ids_to_give_up(&holdings, |id| cost(price[usize::from(id)]));
            let all = (0..32u8).map(|bits| (0..5u8).filter(|id| bits & (1 << id) != 0).collect());
            let totals = all.map(|ids: BTreeSet<u8>| (total(&holdings, &price, &ids), ids.len()));
            let best = totals.min().expect("some");
            assert_eq!((total(&holdings, &price, &found), found.len()), best);
            given += usize::from(!found.is_empty());
        }
        assert!(given > 500, "{given}");
    }
}
