//! How a search is started: its workers' threads, and its links to other processes.

use std::any::Any;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use timely::WorkerConfig;
use timely::communication::allocator::thread::Thread;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{Allocator, AllocatorBuilder, ProcessBuilder};
use timely::communication::{Config, Hooks, initialize_from};
use timely::worker::Worker;

use crate::checkpoint::Checkpoint;
use crate::error::ClusterError;
use crate::hosts::Hosts;
use crate::identity::Identity;
use crate::link::Link;
use crate::pool::Pool;
use crate::progress::{Counters, Progress};
use crate::signs::Signs;
use crate::space::Space;
use crate::worker::{Job, work};

/// What to search, and by whom.
#[derive(Debug)]
pub struct Wanted<S> {
    /// What is explored.
    pub space: Arc<S>,
    /// Ways of at most this length; `None`: the space's own depth.
    pub depth: Option<u32>,
    /// At most this long.
    pub budget: Option<Duration>,
    /// How many workers in each process; `None`: one for each processor.
    pub workers: Option<usize>,
    /// The processes, if there are several.
    pub hosts: Option<Hosts>,
    /// A folder where levels are kept, and from which the search goes on.
    pub checkpoint: Option<PathBuf>,
}

impl<S: Space> Wanted<S> {
    /// All of it to its own depth, in this process alone.
    #[must_use]
    pub fn of(space: Arc<S>) -> Wanted<S> {
        Wanted { space, depth: None, budget: None, workers: None, hosts: None, checkpoint: None }
    }
}

/// What is told while a search runs.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// It waits for the process at that address.
    Waiting(&'a str),
    /// It is so far.
    Progress(Progress),
}

/// Explores a space. Each process of a search has the whole report.
///
/// # Errors
/// If the workers can't be started, the processes don't find each other or one of them goes, or a checkpoint can't be used.
pub fn search<S: Space>(
    wanted: Wanted<S>,
    tell: &mut dyn FnMut(News<'_>),
) -> Result<S::Report, ClusterError> {
    let Wanted { space, depth, budget, workers, hosts, checkpoint } = wanted;
    let asked = workers.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get)).max(1);
    let limit = depth.or(space.depth()).unwrap_or(u32::MAX);
    let signs = Signs::new();
    let identity = Identity::of(&*space).map_err(|why| ClusterError::Start(why.to_string()))?;
    let process = hosts.as_ref().map_or(0, Hosts::process);
    let kept = checkpoint.is_some();
    let checkpoint = checkpoint.map(|folder| Checkpoint::open(&folder, &identity, process)).transpose()?;
    // Where a machine gives no more threads, fewer do the same; but other processes count on theirs.
    let threads = startable(asked);
    let crew = match &hosts {
        None => Crew::alone(threads)?,
        Some(_) if threads < asked => {
            return Err(ClusterError::Start(format!("{asked} threads are wanted, {threads} can be started")));
        }
        Some(hosts) => {
            let identity = identity
                .with("depth", limit)
                .with("checkpoint", if kept { "yes" } else { "no" })
                .with("workers", asked)
                .with("processes", hosts.count());
            let links = hosts.connect(&identity, &signs, &mut |address| tell(News::Waiting(address)))?;
            Crew::of(links, hosts.process(), threads)?
        }
    };
    let started = Instant::now();
    let first = process * threads;
    let (sender, receiver) = mpsc::channel();
    let job = Job {
        space,
        limit,
        deadline: budget.and_then(|budget| started.checked_add(budget)),
        started,
        workers: first..first + threads.max(1),
        pool: Arc::new(Pool::new(threads.max(1))),
        checkpoint,
        signs: signs.clone(),
        counters: Counters::default(),
        tell: sender,
    };
    crew.run(job, &signs, || receiver.iter().for_each(|progress| tell(News::Progress(progress))))
}

/// How many of so many threads can be started.
fn startable(asked: usize) -> usize {
    thread::scope(|scope| {
        let mut waiting = Vec::new();
        for _ in 0..asked {
            let (end, ended) = mpsc::channel::<()>();
            match thread::Builder::new().spawn_scoped(scope, move || ended.recv().is_err()) {
                Ok(_) => waiting.push(end),
                Err(_) => break,
            }
        }
        waiting.len()
    })
}

/// What workers are made of, and the threads between processes, which end after the workers.
struct Crew {
    workers: Vec<AllocatorBuilder>,
    between: Box<dyn Any + Send>,
}

impl Crew {
    fn alone(threads: usize) -> Result<Crew, ClusterError> {
        if threads == 0 {
            return Ok(Crew { workers: Vec::new(), between: Box::new(()) });
        }
        let (workers, between) = Config::Process(threads).try_build().map_err(ClusterError::Start)?;
        Ok(Crew { workers, between })
    }

    fn of(links: Vec<Option<Link>>, process: usize, threads: usize) -> Result<Crew, ClusterError> {
        let hooks = Hooks::default();
        let local = ProcessBuilder::new_typed_vector(threads, hooks.refill.clone(), hooks.spill.clone());
        let (workers, between) = initialize_networking_from_sockets(local, links, process, threads, hooks)
            .map_err(|why| ClusterError::Start(why.to_string()))?;
        Ok(Crew {
            workers: workers.into_iter().map(AllocatorBuilder::Tcp).collect(),
            between: Box::new(between),
        })
    }

    /// Runs the workers, and `listen` until they have ended.
    fn run<S: Space>(
        self,
        job: Job<S>,
        signs: &Signs,
        listen: impl FnOnce(),
    ) -> Result<S::Report, ClusterError> {
        let Crew { workers, between } = self;
        if workers.is_empty() {
            // No thread can be started: this one does it all.
            let report = work(&mut worker(Allocator::Thread(Thread::default())), &job);
            return report?.ok_or(ClusterError::Panicked);
        }
        let run = move |allocator| work(&mut worker(allocator), &job);
        let guards = initialize_from(workers, Box::new(()), run).map_err(ClusterError::Start)?;
        listen();
        let mut reports = Vec::new();
        for ended in guards.join() {
            reports.push(ended.unwrap_or(Err(ClusterError::Panicked)));
        }
        if signs.lost().is_some() {
            // The threads that served that process wait for ever.
            std::mem::forget(between);
        }
        // Who is in trouble knows best why; the others only heard of it.
        reports.sort_by_key(|ended| match ended {
            Err(ClusterError::Other { .. }) => 1,
            Err(ClusterError::Panicked) => 2,
            Err(_) => 0,
            Ok(_) => 3,
        });
        let mut reports = reports.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter();
        reports.find_map(|report| report).ok_or(ClusterError::Panicked)
    }
}

fn worker(allocator: Allocator) -> Worker {
    Worker::new(WorkerConfig::default(), allocator, None)
}
