//! A program made of closures, for whoever needs no type of its own. This module knows nothing of how it is explored.

use std::rc::Rc;

use locks::Object;

use crate::program::{Finding, Outcome, Program, Task};

/// What sentences call an object.
type Called = Box<dyn Fn(&Object) -> Option<String>>;
type Body<W> = Rc<dyn Fn(&W) -> String>;
type Check<W> = Box<dyn Fn(&W, &[String]) -> Vec<Finding>>;
type Settled<W> = Box<dyn Fn(&W) -> Vec<Finding>>;

/// A program over a world `W` that is made anew for each execution, with tasks and oracles that are closures.
///
/// ```
/// use explore::{Explorer, Options, Scene};
/// use locks::{Mutex, enter};
///
/// locks::hierarchy! { mod order { Account } }
///
/// let mut scene = Scene::new(|| Mutex::<order::Account, i32>::new(0, 0))
///     .task("deposit", |account| {
///         enter(|held| *account.lock(held).0 += 10);
///         "ok".to_owned()
///     })
///     .task("withdraw", |account| enter(|held| {
///         let (mut balance, _held) = account.lock(held);
///         if *balance < 10 {
///             return "too poor".to_owned();
///         }
///         *balance -= 10;
///         "ok".to_owned()
///     }));
/// let report = Explorer::new(Options::default()).run(&mut scene);
/// assert_eq!(report.verdict, "clean");
/// assert_eq!(report.outcomes.len(), 2);
/// ```
pub struct Scene<W> {
    make: Box<dyn Fn() -> W>,
    tasks: Vec<(String, Body<W>, bool)>,
    state: Box<dyn Fn(&W) -> String>,
    check: Check<W>,
    watches: Box<dyn Fn(&Object) -> bool>,
    settled: Settled<W>,
    called: Called,
    world: Option<Rc<W>>,
}

impl<W: 'static> Scene<W> {
    /// A program without tasks over the world that `make` makes.
    pub fn new(make: impl Fn() -> W + 'static) -> Self {
        Scene {
            make: Box::new(make),
            tasks: Vec::new(),
            state: Box::new(|_| String::new()),
            check: Box::new(|_, _| Vec::new()),
            watches: Box::new(|_| false),
            settled: Box::new(|_| Vec::new()),
            called: Box::new(|_| None),
            world: None,
        }
    }

    /// Adds a task; the text that it returns is its result.
    #[must_use]
    pub fn task(mut self, name: impl Into<String>, body: impl Fn(&W) -> String + 'static) -> Self {
        self.tasks.push((name.into(), Rc::new(body), false));
        self
    }

    /// Adds a task that may be left waiting on a condition.
    #[must_use]
    pub fn daemon(mut self, name: impl Into<String>, body: impl Fn(&W) -> String + 'static) -> Self {
        self.tasks.push((name.into(), Rc::new(body), true));
        self
    }

    /// Tells final states apart.
    #[must_use]
    pub fn state(mut self, state: impl Fn(&W) -> String + 'static) -> Self {
        self.state = Box::new(state);
        self
    }

    /// Looks for what is wrong at the end; gets the tasks' results.
    #[must_use]
    pub fn check(mut self, check: impl Fn(&W, &[String]) -> Vec<Finding> + 'static) -> Self {
        self.check = Box::new(check);
        self
    }

    /// Says what sentences call objects; where it says nothing they are called by their level and key.
    #[must_use]
    pub fn called(mut self, called: impl Fn(&Object) -> Option<String> + 'static) -> Self {
        self.called = Box::new(called);
        self
    }

    /// Looks for what is wrong whenever none of the locks that `watches` names is held.
    #[must_use]
    pub fn settled(
        mut self,
        watches: impl Fn(&Object) -> bool + 'static,
        settled: impl Fn(&W) -> Vec<Finding> + 'static,
    ) -> Self {
        self.watches = Box::new(watches);
        self.settled = Box::new(settled);
        self
    }
}

impl<W: 'static> Program for Scene<W> {
    fn begin(&mut self) -> Vec<Task> {
        let world = Rc::new((self.make)());
        self.world = Some(world.clone());
        let task = |(name, body, daemon): &(String, Body<W>, bool)| {
            let (world, body) = (world.clone(), body.clone());
            let task = Task::new(name.clone(), move || body(&world));
            if *daemon { task.daemon() } else { task }
        };
        self.tasks.iter().map(task).collect()
    }

    fn finish(&mut self, results: &[String]) -> Outcome {
        let world = self.world.as_ref().expect("`begin` made it");
        Outcome { state: (self.state)(world), findings: (self.check)(world, results) }
    }

    fn called(&self, object: &Object) -> Option<String> {
        (self.called)(object)
    }

    fn watches(&self, object: &Object) -> bool {
        (self.watches)(object)
    }

    fn settled(&mut self) -> Vec<Finding> {
        self.world.as_ref().map_or_else(Vec::new, |world| (self.settled)(world))
    }
}
