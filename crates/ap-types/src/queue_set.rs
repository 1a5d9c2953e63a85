//! Sets of queues as rows and columns of masks.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::iter::FusedIterator;

use crate::bits;
use crate::id::{AdapterId, Apqn, DomainId};
use crate::mask::{AdapterMask, DomainMask, Ids};

/// A set of queues, any of the 65536.
///
/// Kept as a row of domains per adapter *and* a column of adapters per domain, so that a question about
/// a product of adapters and domains is a few word operations along whichever dimension has fewer ids:
/// asking about one adapter and any domains, or one domain and any adapters, is one mask operation.
///
/// Cloning is cheap (a shared reference); the first change of a clone copies. Rows and columns are
/// kept only up to the highest adapter and domain that ever were members, so the set of a small
/// machine is small.
///
/// Equality and hash look at the members only.
#[derive(Clone, Default)]
pub struct QueueSet {
    table: Arc<Table>,
}

/// Both orientations of the set, and which rows and columns have members.
///
/// Invariants: `rows[a]` contains `d` exactly if `columns[d]` contains `a`; `adapters` (`domains`) are
/// exactly the indexes of non-empty rows (columns). Absent rows and columns are empty.
#[derive(Clone, Default)]
struct Table {
    rows: Vec<DomainMask>,
    columns: Vec<AdapterMask>,
    adapters: AdapterMask,
    domains: DomainMask,
}

impl QueueSet {
    /// Makes the empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the set of all queues of a product.
    pub fn from_product(adapters: &AdapterMask, domains: &DomainMask) -> Self {
        let mut set = Self::new();
        set.insert_product(adapters, domains);
        set
    }

    /// Says whether a queue is a member.
    pub fn contains(&self, apqn: Apqn) -> bool {
        self.row(apqn.adapter).contains(apqn.domain)
    }

    /// Adds a queue; says whether it was not a member before.
    pub fn insert(&mut self, apqn: Apqn) -> bool {
        let new = !self.contains(apqn);
        if new {
            let adapter = AdapterMask::single(apqn.adapter);
            Arc::make_mut(&mut self.table).insert(adapter, DomainMask::single(apqn.domain));
        }
        new
    }

    /// Takes a queue out; says whether it was a member before.
    pub fn remove(&mut self, apqn: Apqn) -> bool {
        let old = self.contains(apqn);
        if old {
            let adapter = AdapterMask::single(apqn.adapter);
            Arc::make_mut(&mut self.table).remove(adapter, DomainMask::single(apqn.domain));
        }
        old
    }

    /// Adds every queue of a product.
    pub fn insert_product(&mut self, adapters: &AdapterMask, domains: &DomainMask) {
        // Asked first, so that adding what is there copies nothing.
        if !self.contains_product(adapters, domains) {
            Arc::make_mut(&mut self.table).insert(*adapters, *domains);
        }
    }

    /// Takes every queue of a product out.
    pub fn remove_product(&mut self, adapters: &AdapterMask, domains: &DomainMask) {
        if self.intersects_product(adapters, domains) {
            Arc::make_mut(&mut self.table).remove(*adapters, *domains);
        }
    }

    /// Takes all queues out.
    pub fn clear(&mut self) {
        self.table = Arc::default();
    }

    /// Returns the domains of the members on one adapter.
    pub fn row(&self, adapter: AdapterId) -> DomainMask {
        *self.table.row(adapter.0)
    }

    /// Returns the adapters of the members in one domain.
    pub fn column(&self, domain: DomainId) -> AdapterMask {
        *self.table.column(domain.0)
    }

    /// Returns the adapters that have a member.
    pub fn adapters(&self) -> AdapterMask {
        self.table.adapters
    }

    /// Returns the domains that have a member.
    pub fn domains(&self) -> DomainMask {
        self.table.domains
    }

    /// Says whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.table.adapters.is_empty()
    }

    /// Returns the number of members, 0-65536.
    pub fn len(&self) -> usize {
        self.table.rows.iter().map(DomainMask::count).sum()
    }

    /// Says whether any queue of a product is a member.
    pub fn intersects_product(&self, adapters: &AdapterMask, domains: &DomainMask) -> bool {
        let adapters = *adapters & self.table.adapters;
        let domains = *domains & self.table.domains;
        if by_rows(&adapters, &domains) {
            bits::any(&adapters.words(), |adapter| self.table.row(adapter).intersects(&domains))
        } else {
            bits::any(&domains.words(), |domain| self.table.column(domain).intersects(&adapters))
        }
    }

    /// Says whether a queue of a product is a member of both sets.
    pub fn intersects_within(&self, other: &QueueSet, adapters: &AdapterMask, domains: &DomainMask) -> bool {
        let both = self.table.adapters & other.table.adapters & *adapters;
        both.iter().any(|adapter| (self.row(adapter) & other.row(adapter)).intersects(domains))
    }

    /// Returns how many queues are members of both sets.
    #[must_use]
    pub fn shared_len(&self, other: &QueueSet) -> usize {
        let both = self.table.adapters & other.table.adapters;
        both.iter().map(|adapter| (self.row(adapter) & other.row(adapter)).count()).sum()
    }

    /// Says whether every queue of a product is a member; of an empty product it is so.
    pub fn contains_product(&self, adapters: &AdapterMask, domains: &DomainMask) -> bool {
        if by_rows(adapters, domains) {
            !bits::any(&adapters.words(), |adapter| !domains.is_subset(self.table.row(adapter)))
        } else {
            !bits::any(&domains.words(), |domain| !adapters.is_subset(self.table.column(domain)))
        }
    }

    /// Returns those of `adapters` on which a queue of `domains` is *not* a member.
    ///
    /// This is what the filter takes out of a guest's matrix (page 3, "Filtering"). Without domains,
    /// nothing is missing.
    pub fn adapters_missing_any(&self, adapters: &AdapterMask, domains: &DomainMask) -> AdapterMask {
        if by_rows(adapters, domains) {
            let lacks = |adapter| !domains.is_subset(self.table.row(adapter));
            AdapterMask::from_words(bits::filter(&adapters.words(), lacks))
        } else {
            let mut complete = AdapterMask::ALL;
            bits::any(&domains.words(), |domain| {
                complete &= *self.table.column(domain);
                false
            });
            *adapters - complete
        }
    }

    /// Returns those of `adapters` on which a queue of `domains` is a member.
    pub fn adapters_having_any(&self, adapters: &AdapterMask, domains: &DomainMask) -> AdapterMask {
        let adapters = *adapters & self.table.adapters;
        let domains = *domains & self.table.domains;
        if by_rows(&adapters, &domains) {
            let has = |adapter| self.table.row(adapter).intersects(&domains);
            AdapterMask::from_words(bits::filter(&adapters.words(), has))
        } else {
            let mut any = AdapterMask::EMPTY;
            bits::any(&domains.words(), |domain| {
                any |= *self.table.column(domain);
                false
            });
            adapters & any
        }
    }

    /// Lists the members that are in a product, ascending by adapter, then domain.
    ///
    /// One domain is one look at its column; of several, each adapter's row is looked at.
    pub fn intersection_product(&self, adapters: &AdapterMask, domains: &DomainMask) -> Members<'_> {
        let single = domains.iter().next().filter(|domain| *domains == DomainMask::single(*domain));
        let adapters = match single {
            Some(domain) => *adapters & self.column(domain),
            None => *adapters & self.table.adapters,
        };
        Members {
            set: self,
            adapters: adapters.iter(),
            domains: *domains,
            single,
            adapter: AdapterId(0),
            row: DomainMask::EMPTY.iter(),
        }
    }

    /// Lists the members, ascending by adapter, then domain.
    pub fn iter(&self) -> Members<'_> {
        self.intersection_product(&AdapterMask::ALL, &DomainMask::ALL)
    }
}

/// Says whether a question about a product is answered with fewer steps by rows than by columns.
fn by_rows(adapters: &AdapterMask, domains: &DomainMask) -> bool {
    let one = |words| bits::at_most_one(&words);
    one(adapters.words()) || !one(domains.words()) && adapters.count() <= domains.count()
}

impl Table {
    fn row(&self, adapter: u8) -> &DomainMask {
        self.rows.get(usize::from(adapter)).unwrap_or(&DomainMask::EMPTY)
    }

    fn column(&self, domain: u8) -> &AdapterMask {
        self.columns.get(usize::from(domain)).unwrap_or(&AdapterMask::EMPTY)
    }

    fn insert(&mut self, adapters: AdapterMask, domains: DomainMask) {
        let (Some(last_adapter), Some(last_domain)) = (adapters.last(), domains.last()) else {
            return;
        };
        let rows = usize::from(last_adapter.0) + 1;
        if rows > self.rows.len() {
            self.rows.resize(rows, DomainMask::EMPTY);
        }
        let columns = usize::from(last_domain.0) + 1;
        if columns > self.columns.len() {
            self.columns.resize(columns, AdapterMask::EMPTY);
        }
        for adapter in adapters {
            self.rows[usize::from(adapter.0)] |= domains;
        }
        for domain in domains {
            self.columns[usize::from(domain.0)] |= adapters;
        }
        self.adapters |= adapters;
        self.domains |= domains;
    }

    fn remove(&mut self, adapters: AdapterMask, domains: DomainMask) {
        // Only non-empty rows and columns, so that every index is there.
        for adapter in adapters & self.adapters {
            let row = &mut self.rows[usize::from(adapter.0)];
            *row -= domains;
            if row.is_empty() {
                self.adapters.remove(adapter);
            }
        }
        for domain in domains & self.domains {
            let column = &mut self.columns[usize::from(domain.0)];
            *column -= adapters;
            if column.is_empty() {
                self.domains.remove(domain);
            }
        }
    }
}

impl PartialEq for QueueSet {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.table, &other.table)
            || self.adapters() == other.adapters()
                && self.adapters().iter().all(|adapter| self.row(adapter) == other.row(adapter))
    }
}

impl Eq for QueueSet {}

impl Hash for QueueSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.adapters().hash(state);
        for adapter in self.adapters() {
            self.row(adapter).hash(state);
        }
    }
}

impl fmt::Debug for QueueSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(crate::shown::Shown)).finish()
    }
}

impl Extend<Apqn> for QueueSet {
    fn extend<T: IntoIterator<Item = Apqn>>(&mut self, queues: T) {
        for apqn in queues {
            self.insert(apqn);
        }
    }
}

impl FromIterator<Apqn> for QueueSet {
    fn from_iter<T: IntoIterator<Item = Apqn>>(queues: T) -> Self {
        let mut set = Self::new();
        set.extend(queues);
        set
    }
}

impl<'a> IntoIterator for &'a QueueSet {
    type Item = Apqn;
    type IntoIter = Members<'a>;

    fn into_iter(self) -> Members<'a> {
        self.iter()
    }
}

/// The members of a [`QueueSet`] that are in a product, ascending by adapter, then domain.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    set: &'a QueueSet,
    /// The adapters after `adapter`.
    adapters: Ids<AdapterId>,
    domains: DomainMask,
    /// The only domain, if there is but one; then `adapters` are those that have it.
    single: Option<DomainId>,
    adapter: AdapterId,
    /// The members left on `adapter`.
    row: Ids<DomainId>,
}

impl Iterator for Members<'_> {
    type Item = Apqn;

    fn next(&mut self) -> Option<Apqn> {
        if let Some(domain) = self.single {
            return self.adapters.next().map(|adapter| Apqn::new(adapter, domain));
        }
        loop {
            if let Some(domain) = self.row.next() {
                return Some(Apqn::new(self.adapter, domain));
            }
            self.adapter = self.adapters.next()?;
            self.row = (self.set.row(self.adapter) & self.domains).iter();
        }
    }
}

impl FusedIterator for Members<'_> {}

#[cfg(test)]
mod tests;
