//! The protocol as a model of states and steps, for stateright: `stateright OPERATIONS right|deadlock|theft [SECONDS]`.
//!
//! The steps are those of `crates/explore/benches/peers/protocol.pml`: a lock is taken in one step together with what is done
//! under it until the next one is asked for.

use std::time::Duration;

use stateright::{Checker, HasDiscoveries, Model, Property};

const NONE: u8 = 0;
const DEFAULT: u8 = 1;
const VFIO: u8 = 2;

/// Locks by number: the scan's, the masks', the guests', the mdevs', four devices', two guests' own.
const SCAN: usize = 0;
const PERMS: usize = 1;
const GUESTS: usize = 2;
const MDEVS: usize = 3;
const DEVICE: usize = 4;
const KVM: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    Deadlock,
    Theft,
}

/// Where an operation is: what it asks for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum At {
    First,
    Second,
    Asked,
    Guest,
    Matrix,
    Store,
    Want,
    Have,
    LetGo,
    Take,
    Whose,
    BindGuests(bool),
    BindGuest(bool),
    Bind(bool),
    End,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Task {
    at: At,
    queue: u8,
    want: u8,
    /// The guest whose lock it holds, or 2.
    guest: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    locks: [bool; 10],
    adapters: u8,
    domains: u8,
    driver: [u8; 4],
    there: [bool; 4],
    open: [bool; 2],
    apcb: [u8; 2],
    matrices: [(u8, u8); 2],
    bound: u8,
    guest_has: u8,
    host_has: u8,
    tasks: Vec<Task>,
}

fn set((adapters, domains): (u8, u8)) -> u8 {
    (if adapters & 1 != 0 { domains } else { 0 }) | (if adapters & 2 != 0 { domains << 2 } else { 0 })
}

impl State {
    fn perms(&self) -> u8 {
        set((self.adapters, self.domains))
    }

    fn owner(&self, queue: u8) -> u8 {
        if self.perms() >> queue & 1 == 1 { DEFAULT } else { VFIO }
    }

    /// Takes a lock, if it is free.
    fn take(&mut self, lock: usize) -> Option<()> {
        (!std::mem::replace(&mut self.locks[lock], true)).then_some(())
    }

    fn free(&mut self, locks: &[usize]) {
        locks.iter().for_each(|&lock| self.locks[lock] = false);
    }

    fn set_apcb(&mut self, guest: usize, new: u8) {
        self.guest_has = self.guest_has & !self.apcb[guest] | new;
        self.apcb[guest] = new;
    }

    fn all_ended(&self) -> bool {
        self.tasks.iter().all(|task| task.at == At::End)
    }
}

struct Protocol {
    tasks: usize,
    mistake: Option<Mistake>,
}

impl Protocol {
    /// The state after a task's next step, or none if it waits or has ended.
    fn step(&self, before: &State, number: usize) -> Option<State> {
        let mut state = before.clone();
        match number {
            0 => self.mask_write(&mut state, number, 1)?,
            1 => self.assign(&mut state, number, 0, (1, 0))?,
            2 => Self::scan(&mut state, number)?,
            3 => self.assign(&mut state, number, 1, (0, 2))?,
            4 => self.mask_write(&mut state, number, 2)?,
            _ => Self::opens(&mut state, number)?,
        }
        Some(state)
    }

    fn mask_write(&self, state: &mut State, number: usize, added: u8) -> Option<()> {
        let task = state.tasks[number].clone();
        let (queue, device) = (task.queue, DEVICE + usize::from(task.queue));
        let fresh = set((state.adapters | added, state.domains)) & !state.perms();
        let go = |state: &mut State, at| state.tasks[number].at = at;
        let store = |state: &mut State| {
            state.adapters |= added;
            state.free(&[PERMS]);
            go(state, At::Want);
        };
        match task.at {
            At::First => {
                state.take(PERMS)?;
                if fresh != 0 { go(state, At::Second) } else { store(state) }
            }
            At::Second => {
                state.take(GUESTS)?;
                go(state, At::Asked);
            }
            At::Asked => {
                state.take(MDEVS)?;
                state.free(&[MDEVS, GUESTS]);
                if (set(state.matrices[0]) | set(state.matrices[1])) & fresh != 0 {
                    state.free(&[PERMS]);
                    go(state, At::End);
                } else if self.mistake == Some(Mistake::Theft) {
                    state.free(&[PERMS]);
                    go(state, At::Store);
                } else {
                    store(state);
                }
            }
            At::Store => {
                state.take(PERMS)?;
                store(state);
            }
            At::Want => {
                state.take(PERMS)?;
                state.free(&[PERMS]);
                state.tasks[number].want = state.owner(queue);
                go(state, At::Have);
            }
            At::Have => {
                state.take(device)?;
                state.free(&[device]);
                let place = usize::from(queue);
                if state.there[place] && state.driver[place] != task.want {
                    go(state, At::LetGo);
                } else {
                    Self::next_queue(state, number);
                }
            }
            At::LetGo => {
                state.take(device)?;
                if Self::lets_go(state, number, queue) {
                    state.free(&[device]);
                    go(state, At::Take);
                }
            }
            At::Take => {
                state.take(device)?;
                let place = usize::from(queue);
                if state.driver[place] == NONE && state.there[place] {
                    go(state, At::Whose);
                } else {
                    state.free(&[device]);
                    Self::next_queue(state, number);
                }
            }
            At::Whose => {
                state.take(PERMS)?;
                state.free(&[PERMS]);
                if state.owner(queue) == VFIO {
                    go(state, At::BindGuests(true));
                } else {
                    state.host_has |= 1 << queue;
                    state.driver[usize::from(queue)] = DEFAULT;
                    state.free(&[device]);
                    Self::next_queue(state, number);
                }
            }
            _ => match Self::bind(state, number, queue)? {
                Some(true) => {
                    state.driver[usize::from(queue)] = VFIO;
                    state.free(&[device]);
                    Self::next_queue(state, number);
                }
                Some(false) => {
                    state.driver[usize::from(queue)] = NONE;
                    state.free(&[device]);
                    go(state, At::Take);
                }
                None => {}
            },
        }
        Some(())
    }

    fn next_queue(state: &mut State, number: usize) {
        let task = &mut state.tasks[number];
        task.want = NONE;
        task.queue += 1;
        task.at = if task.queue < 4 { At::Want } else { At::End };
    }

    /// Whether a queue is let go at once; else vfio_ap has to be asked.
    fn lets_go(state: &mut State, number: usize, queue: u8) -> bool {
        let driver = state.driver[usize::from(queue)];
        if driver == VFIO {
            state.tasks[number].at = At::BindGuests(false);
            return false;
        }
        if driver == DEFAULT {
            state.host_has &= !(1 << queue);
        }
        state.driver[usize::from(queue)] = NONE;
        true
    }

    /// A queue comes to vfio_ap or leaves it: which, when that has happened.
    fn bind(state: &mut State, number: usize, queue: u8) -> Option<Option<bool>> {
        match state.tasks[number].at {
            At::BindGuests(bind) => {
                state.take(GUESTS)?;
                let guest = state.open.iter().position(|&open| open);
                state.tasks[number].guest = guest.map_or(2, |guest| guest as u8);
                state.tasks[number].at = if guest.is_some() { At::BindGuest(bind) } else { At::Bind(bind) };
                Some(None)
            }
            At::BindGuest(bind) => {
                state.take(KVM + usize::from(state.tasks[number].guest))?;
                state.tasks[number].at = At::Bind(bind);
                Some(None)
            }
            At::Bind(bind) => {
                state.take(MDEVS)?;
                state.bound = if bind { state.bound | 1 << queue } else { state.bound & !(1 << queue) };
                let guest = usize::from(std::mem::take(&mut state.tasks[number].guest));
                if guest < 2 {
                    state.set_apcb(guest, set(state.matrices[guest]) & state.bound);
                    state.free(&[KVM + guest]);
                }
                state.free(&[MDEVS, GUESTS]);
                Some(Some(bind))
            }
            _ => None,
        }
    }

    fn assign(&self, state: &mut State, number: usize, mdev: usize, more: (u8, u8)) -> Option<()> {
        let order = if self.mistake == Some(Mistake::Deadlock) { [GUESTS, PERMS] } else { [PERMS, GUESTS] };
        let next = match state.tasks[number].at {
            At::First => {
                state.take(order[0])?;
                At::Second
            }
            At::Second => {
                state.take(order[1])?;
                if state.open[mdev] { At::Guest } else { At::Matrix }
            }
            At::Guest => {
                state.take(KVM + mdev)?;
                At::Matrix
            }
            At::Matrix => {
                state.take(MDEVS)?;
                let (adapters, domains) = state.matrices[mdev];
                let new = (adapters | more.0, domains | more.1);
                if (state.perms() | set(state.matrices[1 - mdev])) & set(new) == 0 {
                    state.matrices[mdev] = new;
                    if state.open[mdev] {
                        state.set_apcb(mdev, set(new) & state.bound);
                    }
                }
                if state.open[mdev] {
                    state.free(&[KVM + mdev]);
                }
                state.free(&[MDEVS, GUESTS, PERMS]);
                At::End
            }
            _ => return None,
        };
        state.tasks[number].at = next;
        Some(())
    }

    fn opens(state: &mut State, number: usize) -> Option<()> {
        let next = match state.tasks[number].at {
            At::First => {
                state.take(GUESTS)?;
                At::Guest
            }
            At::Guest => {
                state.take(KVM)?;
                At::Matrix
            }
            At::Matrix => {
                state.take(MDEVS)?;
                state.open[0] = true;
                state.set_apcb(0, set(state.matrices[0]) & state.bound);
                state.free(&[MDEVS, KVM, GUESTS]);
                At::End
            }
            _ => return None,
        };
        state.tasks[number].at = next;
        Some(())
    }

    fn scan(state: &mut State, number: usize) -> Option<()> {
        let gone = |state: &mut State| {
            state.driver[0] = NONE;
            state.there[0] = false;
            state.free(&[DEVICE, SCAN]);
            state.tasks[number].at = At::End;
        };
        match state.tasks[number].at {
            At::First => {
                state.take(SCAN)?;
                state.tasks[number].at = At::LetGo;
            }
            At::LetGo => {
                state.take(DEVICE)?;
                if Self::lets_go(state, number, 0) {
                    gone(state);
                }
            }
            _ => {
                if Self::bind(state, number, 0)?.is_some() {
                    gone(state);
                }
            }
        }
        Some(())
    }
}

impl Model for Protocol {
    type State = State;
    type Action = usize;

    fn init_states(&self) -> Vec<State> {
        let task = Task { at: At::First, queue: 0, want: NONE, guest: 0 };
        vec![State {
            locks: [false; 10],
            adapters: 0,
            domains: 3,
            driver: [VFIO; 4],
            there: [true; 4],
            open: [false; 2],
            apcb: [0; 2],
            matrices: [(0, 1), (2, 0)],
            bound: 15,
            guest_has: 0,
            host_has: 0,
            tasks: vec![task; self.tasks],
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<usize>) {
        actions.extend((0..self.tasks).filter(|&task| state.tasks[task].at != At::End));
    }

    fn next_state(&self, state: &State, task: usize) -> Option<State> {
        self.step(state, task)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing is stolen", |_, state: &State| {
                let assigned = set(state.matrices[0]) | set(state.matrices[1]);
                state.guest_has & state.host_has == 0 && !(state.all_ended() && state.perms() & assigned != 0)
            }),
            Property::always("nobody waits for ever", |model: &Protocol, state: &State| {
                state.all_ended() || (0..model.tasks).any(|task| model.step(state, task).is_some())
            }),
        ]
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let tasks = arguments.next().expect("OPERATIONS, 2 to 6").parse().expect("OPERATIONS is a number");
    let mistake = match arguments.next().as_deref() {
        Some("right") => None,
        Some("deadlock") => Some(Mistake::Deadlock),
        Some("theft") => Some(Mistake::Theft),
        other => panic!("{other:?} is not right, deadlock or theft"),
    };
    let limit = arguments.next().map_or(300, |text| text.parse().expect("SECONDS is a number"));
    let began = std::time::Instant::now();
    let checker = Protocol { tasks, mistake }
        .checker()
        .threads(1)
        .timeout(Duration::from_secs(limit))
        .finish_when(HasDiscoveries::Any)
        .spawn_bfs()
        .join();
    let found: Vec<&str> = checker.discoveries().into_keys().collect();
    let says = match found.first() {
        Some(not) => format!("found: not so: {not}"),
        None if began.elapsed() < Duration::from_secs(limit) => "clean, all of it".to_owned(),
        None => "nothing found, not all of it".to_owned(),
    };
    println!("{says}; {} states, {:.3} s", checker.unique_state_count(), began.elapsed().as_secs_f64());
}
