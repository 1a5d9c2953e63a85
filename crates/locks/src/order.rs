//! The order: levels, the relation between them, and the token that says what is held.

use core::marker::PhantomData;

use crate::hook;

/// A place in the lock order; implemented by [`hierarchy!`](crate::hierarchy) only.
pub trait Level: 'static {
    /// The level's name, as traces print it.
    const NAME: &'static str;
    /// Its place, counted from the outermost lock (0).
    const RANK: u16;
}

/// `Self` may be taken while `H` is held; implemented by [`hierarchy!`](crate::hierarchy) only.
#[diagnostic::on_unimplemented(
    message = "lock order: `{Self}` must not be taken while `{H}` is held",
    label = "taken here, out of order",
    note = "the whole order is the `hierarchy!` of this program; take the outer lock first, or release the inner one"
)]
pub trait After<H>: Level {}

/// Nothing is held: the level of the token that [`enter`] gives.
pub enum Nothing {}

/// Proof that the innermost lock held is of level `L` (or none of a deeper level will be taken outside it).
///
/// A token is borrowed from the one before it, so an outer lock can't be taken while an inner guard lives. It
/// belongs to one task and can't be sent to another thread.
pub struct Held<'a, L> {
    token: PhantomData<(&'a mut (), *const L)>,
}

impl<L> Held<'_, L> {
    pub(crate) const fn token() -> Self {
        Held { token: PhantomData }
    }

    /// Gives up the right to take anything before `M`, without taking a lock.
    ///
    /// This is how a caller that holds little meets a signature that says it may hold more.
    #[inline]
    pub fn at<M: After<L>>(&mut self) -> Held<'_, M> {
        Held::token()
    }

    /// Reborrows the token, for a callee that takes it by value.
    #[inline]
    pub fn again(&mut self) -> Held<'_, L> {
        Held::token()
    }
}

/// Runs `f` with the task's root token: nothing is held.
///
/// # Panics
/// In debug builds and under a hook, if the task is inside another `enter` already: two roots would defeat the
/// order.
#[inline]
pub fn enter<R>(f: impl FnOnce(&mut Held<'_, Nothing>) -> R) -> R {
    let _root = hook::Root::claim();
    f(&mut Held::token())
}

/// The right to take locks in any order: for specimens, whose whole point is a wrong order.
///
/// It is made, and used, only while an explorer runs the task: shipped code can't hold one, and one that was kept from
/// an exploration is refused.
pub struct Unordered {
    here: PhantomData<*const ()>,
}

impl Unordered {
    /// The token, inside an exploration.
    ///
    /// # Panics
    /// Outside an exploration.
    #[must_use]
    #[track_caller]
    pub fn specimen() -> Self {
        let token = Unordered { here: PhantomData };
        token.check();
        token
    }

    /// Panics outside an exploration.
    #[track_caller]
    pub(crate) fn check(&self) {
        assert!(hook::exploring(), "an unordered token exists only inside an exploration");
    }
}

/// Lists the levels of a program, outermost first, as uninhabited types in a module of their own.
///
/// `hierarchy! { pub mod order { A => B => C } }` makes `order::{A, B, C}` and the relation "may be taken while …
/// is held" for every later level after every earlier one. Levels may carry docs.
#[macro_export]
macro_rules! hierarchy {
    ($(#[$outer:meta])* $vis:vis mod $name:ident { $($(#[$doc:meta])* $level:ident)=>+ }) => {
        $(#[$outer])*
        $vis mod $name {
            $(
                $(#[$doc])*
                #[doc = concat!("\n\nThe lock level `", stringify!($level), "`.")]
                pub enum $level {}
            )+
            /// Every level, outermost first.
            pub const LEVELS: &[&str] = &[$(stringify!($level)),+];
            $(impl $crate::After<$crate::Nothing> for $level {})+
            $crate::hierarchy!(@order 0u16, $($level)+);
        }
    };
    (@order $rank:expr, $first:ident $($rest:ident)*) => {
        impl $crate::Level for $first {
            const NAME: &'static str = stringify!($first);
            const RANK: u16 = $rank;
        }
        $(impl $crate::After<$first> for $rest {})*
        $crate::hierarchy!(@order $rank + 1, $($rest)*);
    };
    (@order $rank:expr,) => {};
}
