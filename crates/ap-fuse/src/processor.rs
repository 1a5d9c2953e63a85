//! Binds a process to one processor, which makes messages between server and client cheaper.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::error::Error;

/// Binds the calling thread, and all that it starts from now on, to one processor.
pub fn pin(cpu: usize) -> Result<(), Error> {
    let usable = sched_getaffinity(None).map_err(Error::setup("asking for the processors"))?;
    if cpu >= CpuSet::MAX_CPU || !usable.is_set(cpu) {
        let all = (0..CpuSet::MAX_CPU).filter(|cpu| usable.is_set(*cpu)).map(|cpu| cpu.to_string());
        return Err(Error::NoProcessor { cpu, usable: all.collect::<Vec<_>>().join(", ") });
    }
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).map_err(Error::setup("taking a processor"))
}
