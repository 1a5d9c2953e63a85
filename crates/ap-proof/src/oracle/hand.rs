//! In whose hands a queue is, and whose data may be in it: invariant I5, "clean hand-over". (Specification, page 4.)
//!
//! A [`Hand`] follows what happens to one queue, as [`Fact`]s in the order in which they happen. This is the one place
//! that says what a clean hand-over is; who feeds it (scenarios, sequences) says only what happened. `docs/proof.md`
//! has the rules in a table.
//!
//! # The rules
//! - A queue has the data of whoever used it last until it was reset, or until the machine has lost it: because the
//!   queue is out of the host configuration, deconfigured or checkstopped.
//! - A reset cleans a queue when it has *ended*: its driver has waited for it, or the machine is seen to have finished,
//!   or it is known to take no time. One that was refused cleans nothing.
//! - It counts only if nobody used the queue when it was issued. A guest's own resets clean nothing, as the guest goes
//!   on with the queue; the host's RAPQ cleans nothing while its driver has the queue, for the same reason. (The bus's
//!   ZAPQ, with which it takes a queue from a driver, does.)
//! - Who gets a queue with data of somebody else in it gets it unclean: at once, whatever happens to it afterwards. A
//!   guest that was started again is somebody else.
//! - The host's driver resets a queue that it is given, and waits for that itself before it uses it: a queue whose
//!   reset runs is given to it cleanly, and one whose reset was refused is not used.
//! - Nobody but a guest itself resets a queue, or changes its interrupts, while the guest has it.

use std::fmt;

use ap_types::ResponseCode;

/// Who uses a queue, or used it. `G` names guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum User<G> {
    /// The host, by its default driver.
    Host,
    /// A guest that runs.
    Guest(G),
    /// A guest that has ended.
    Former,
}

impl<G> User<G> {
    /// The same user, named otherwise.
    pub fn map<H>(self, name: impl FnOnce(G) -> H) -> User<H> {
        match self {
            User::Host => User::Host,
            User::Guest(guest) => User::Guest(name(guest)),
            User::Former => User::Former,
        }
    }
}

impl<G: fmt::Display> fmt::Display for User<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            User::Host => f.write_str("the host"),
            User::Guest(guest) => write!(f, "guest {guest}"),
            User::Former => f.write_str("a guest that has ended"),
        }
    }
}

/// An instruction that must not come from others while a guest has the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Touch {
    /// ZAPQ: reset, with everything that is in the queue.
    Zapq,
    /// RAPQ: reset.
    Rapq,
    /// AQIC: interrupts on or off.
    Aqic,
}

impl fmt::Display for Touch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Touch::Zapq => "ZAPQ",
            Touch::Rapq => "RAPQ",
            Touch::Aqic => "AQIC",
        })
    }
}

/// What was done about a queue's data since its user let it go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reset {
    /// Nothing that counts.
    #[default]
    None,
    /// A reset was issued, and the machine refused it.
    Refused {
        /// The driver that issued it knows: the next filtering keeps the queue out.
        noted: bool,
    },
    /// A reset was issued, and is not known to have ended.
    Runs,
}

/// Something that happened to a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact<G> {
    /// A running guest's APCB has it from now on.
    Given(G),
    /// A running guest's APCB has it no longer.
    Withdrawn(G),
    /// A guest has ended; whether or not it had the queue.
    GuestEnded(G),
    /// The host's driver was given the queue, after it has issued its reset. Who does not see when the host begins to
    /// use the queue takes this for it.
    Bound,
    /// The host's driver is seen to use the queue, its own reset having ended; or not to use it now.
    Uses(bool),
    /// The bus took the queue from its driver, whoever that was: the last reset was the bus's.
    Unbound,
    /// An instruction was issued.
    Issued {
        /// Which.
        touch: Touch,
        /// What it answered.
        code: ResponseCode,
        /// Whether a reset that was accepted may still run when the instruction returns.
        lasts: bool,
        /// The guest that asked for it itself.
        asked_by: Option<G>,
    },
    /// A driver has waited for its reset, however that ended.
    ResetEnded {
        /// The answer that the driver goes by from now on.
        noted: ResponseCode,
    },
    /// The machine is seen to run no reset of it.
    Finished,
    /// It is seen to be out of the configuration, deconfigured or checkstopped.
    Away,
}

/// What is wrong with a fact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wrong<G> {
    /// It came to a user with the data of another one in it.
    Unclean {
        /// Whose data.
        from: User<G>,
        /// To whom.
        to: User<G>,
        /// What was done about it.
        reset: Reset,
        /// The bus did it, which took the queue from its driver, and neither waits nor looks at the answer.
        by_bus: bool,
    },
    /// Somebody else issued an instruction while a guest had it.
    Disturbed(Touch, G),
}

/// What is known of one queue. A new one is clean, and nobody's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hand<G> {
    /// Who uses it now.
    user: Option<User<G>>,
    /// Whose data may be in it.
    data: Option<User<G>>,
    /// What was done about that.
    reset: Reset,
    /// That was the bus's, which took the queue from its driver.
    by_bus: bool,
    /// The host's driver was given it and it was not taken away again, as far as that is told ([`Fact::Bound`]).
    bound: bool,
}

impl<G> Default for Hand<G> {
    fn default() -> Self {
        Hand { user: None, data: None, reset: Reset::None, by_bus: false, bound: false }
    }
}

impl<G: Clone + Eq> Hand<G> {
    /// A queue that somebody uses.
    #[must_use]
    pub fn of(user: User<G>) -> Hand<G> {
        let bound = user == User::Host;
        Hand { user: Some(user.clone()), data: Some(user), bound, ..Hand::default() }
    }

    /// Whether the host's driver has it, as far as that is told.
    #[must_use]
    pub fn bound(&self) -> bool {
        self.bound
    }

    /// Whether its last user has let it go, and nothing was done about the data since.
    #[must_use]
    pub fn unreset(&self) -> bool {
        self.user.is_none() && self.data.is_some() && self.reset == Reset::None
    }

    /// Follows a fact; answers what is wrong with it.
    pub fn follow(&mut self, fact: Fact<G>) -> Option<Wrong<G>> {
        match fact {
            Fact::Given(guest) => return self.comes_to(User::Guest(guest)),
            Fact::Withdrawn(guest) => {
                if self.user == Some(User::Guest(guest)) {
                    // What was issued while the guest had it does not count.
                    (self.user, self.reset, self.by_bus) = (None, Reset::None, false);
                }
            }
            Fact::GuestEnded(guest) => {
                if self.data == Some(User::Guest(guest)) {
                    self.data = Some(User::Former);
                }
            }
            Fact::Bound => {
                self.bound = true;
                return match self.reset {
                    Reset::Refused { .. } => None,
                    Reset::Runs => {
                        self.is_with(User::Host);
                        None
                    }
                    Reset::None => self.comes_to(User::Host),
                };
            }
            Fact::Uses(true) => return self.comes_to(User::Host),
            Fact::Uses(false) => {
                self.user.take_if(|user| *user == User::Host);
            }
            Fact::Unbound => {
                self.bound = false;
                self.user.take_if(|user| *user == User::Host);
                self.by_bus = self.reset != Reset::None;
            }
            Fact::Issued { touch, code, lasts, asked_by } => {
                return self.issued(touch, code, lasts, asked_by);
            }
            Fact::ResetEnded { noted } => self.reset_ended(noted),
            Fact::Finished => {
                if self.reset == Reset::Runs {
                    self.clean();
                }
            }
            Fact::Away => self.clean(),
        }
        None
    }

    fn issued(
        &mut self,
        touch: Touch,
        code: ResponseCode,
        lasts: bool,
        asked_by: Option<G>,
    ) -> Option<Wrong<G>> {
        if let Some(User::Guest(guest)) = &self.user {
            let own = asked_by.as_ref() == Some(guest);
            return (!own).then(|| Wrong::Disturbed(touch, guest.clone()));
        }
        let hosts = self.bound || self.user == Some(User::Host);
        match touch {
            Touch::Aqic => {}
            Touch::Rapq if hosts => {
                // The host resets its own queue: it goes on with it, or begins to if its first reset was refused.
                if code == ResponseCode::NORMAL {
                    self.is_with(User::Host);
                }
            }
            Touch::Rapq | Touch::Zapq => {
                self.by_bus = false;
                match code {
                    ResponseCode::NORMAL if lasts => self.reset = Reset::Runs,
                    ResponseCode::NORMAL
                    | ResponseCode::DECONFIGURED
                    | ResponseCode::CHECKSTOPPED
                    | ResponseCode::Q_NOT_AVAIL => self.clean(),
                    ResponseCode(_) => self.reset = Reset::Refused { noted: false },
                }
            }
        }
        None
    }

    fn reset_ended(&mut self, code: ResponseCode) {
        if matches!(self.user, Some(User::Guest(_))) {
            return;
        }
        match &mut self.reset {
            Reset::None => {}
            Reset::Refused { noted } => {
                let passes = [ResponseCode::NORMAL, ResponseCode::DECONFIGURED, ResponseCode::CHECKSTOPPED];
                *noted = !passes.contains(&code);
            }
            Reset::Runs => self.clean(),
        }
    }

    fn clean(&mut self) {
        (self.data, self.reset, self.by_bus) = (None, Reset::None, false);
    }

    fn is_with(&mut self, user: User<G>) {
        self.user = Some(user.clone());
        (self.data, self.reset, self.by_bus) = (Some(user), Reset::None, false);
    }

    fn comes_to(&mut self, user: User<G>) -> Option<Wrong<G>> {
        let other = self.data.take_if(|before| *before != user);
        let (reset, by_bus) = (self.reset, self.by_bus);
        self.is_with(user.clone());
        other.map(|from| Wrong::Unclean { from, to: user, reset, by_bus })
    }
}
