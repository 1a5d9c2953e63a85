//! Which steps of a plan are in effect on a host: by the files that they write, each of which may be written more than
//! once.
//!
//! A file's *chain* is what it says before its first step and after each. Steps are done and taken back in order, so a
//! host between a plan's two ends is as after some number of its steps; if somebody else wrote meanwhile, each file is
//! at some place of its own chain, or at none.

use ap_plan::Write;
use ap_types::grammar::mask_parameter;
use ap_types::{AdapterMask, DomainMask, Matrix, Uuid};

use crate::step::{Undoable, matrix_of};
use crate::tree::{Fault, Tree};

/// Where a step's file is, seen from the step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stands {
    /// The step is not in effect.
    Before,
    /// It is.
    After,
    /// Half taken back: an mdev was made again, and has no matrix yet.
    Half,
    /// Somebody else wrote the file. What it says now.
    Neither(String),
}

/// A file that steps write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum File {
    Apmask,
    Aqmask,
    Mdev(Uuid),
}

/// What a file says, as far as steps change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Adapters(AdapterMask),
    Domains(DomainMask),
    Mdev(Option<Matrix>),
}

/// A file with what it says before its steps and after each.
struct Chain {
    file: File,
    /// The ids that steps change, for a mask.
    adapters: AdapterMask,
    domains: DomainMask,
    says: Vec<Says>,
    steps: Vec<usize>,
}

fn file_of(write: &Write) -> File {
    match write {
        Write::Apmask(_) => File::Apmask,
        Write::Aqmask(_) => File::Aqmask,
        Write::Create(uuid) | Write::Remove(uuid) | Write::Config(uuid, _) => File::Mdev(*uuid),
    }
}

impl Chain {
    fn all(steps: &[Undoable]) -> Vec<Chain> {
        let mut files: Vec<File> = steps.iter().map(|step| file_of(&step.write)).collect();
        files.sort_unstable();
        files.dedup();
        files.into_iter().map(|file| Chain::of(file, steps)).collect()
    }

    fn of(file: File, steps: &[Undoable]) -> Chain {
        let mine: Vec<usize> = (0..steps.len()).filter(|at| file_of(&steps[*at].write) == file).collect();
        let (mut adapters, mut domains) = (AdapterMask::EMPTY, DomainMask::EMPTY);
        // What is known of the start: a step changes what it says to change.
        let (mut first_adapters, mut first_domains) = (AdapterMask::EMPTY, DomainMask::EMPTY);
        for step in mine.iter().map(|at| &steps[*at]) {
            match &step.write {
                Write::Apmask(delta) => {
                    first_adapters |= delta.clear() - adapters;
                    adapters |= delta.clear() | delta.set();
                }
                Write::Aqmask(delta) => {
                    first_domains |= delta.clear() - domains;
                    domains |= delta.clear() | delta.set();
                }
                _ => {}
            }
        }
        let mut now = match file {
            File::Apmask => Says::Adapters(first_adapters),
            File::Aqmask => Says::Domains(first_domains),
            File::Mdev(_) => Says::Mdev(match mine.first().map(|at| &steps[*at]) {
                Some(Undoable { write: Write::Create(_), .. }) | None => None,
                Some(step) => Some(step.old_matrix()),
            }),
        };
        let mut says = vec![now];
        for step in mine.iter().map(|at| &steps[*at]) {
            now = match (&step.write, now) {
                (Write::Apmask(delta), Says::Adapters(mask)) => Says::Adapters(delta.applied(mask)),
                (Write::Aqmask(delta), Says::Domains(mask)) => Says::Domains(delta.applied(mask)),
                (Write::Create(_), _) => Says::Mdev(Some(Matrix::default())),
                (Write::Remove(_), _) => Says::Mdev(None),
                (Write::Config(_, matrix), _) => Says::Mdev(Some(*matrix)),
                (_, now) => now,
            };
            says.push(now);
        }
        Chain { file, adapters, domains, says, steps: mine }
    }

    fn read(&self, tree: &mut dyn Tree) -> Result<Says, Fault> {
        Ok(match self.file {
            File::Apmask => {
                let mask: AdapterMask = mask_parameter(tree.read("bus/ap/apmask")?.trim_end().as_bytes());
                Says::Adapters(mask & self.adapters)
            }
            File::Aqmask => {
                let mask: DomainMask = mask_parameter(tree.read("bus/ap/aqmask")?.trim_end().as_bytes());
                Says::Domains(mask & self.domains)
            }
            File::Mdev(uuid) => Says::Mdev(matrix_of(tree, uuid)?),
        })
    }

    /// What it says after so many steps of the whole plan.
    fn after(&self, steps: usize) -> Says {
        self.says[self.steps.iter().filter(|at| **at < steps).count()]
    }

    /// Where a step stands if the file says that; of several places the last one that is not after the step.
    fn stands(&self, step: usize, says: Says, steps: &[Undoable]) -> Stands {
        let place = self.steps.iter().position(|at| *at == step).unwrap_or(0) + 1;
        if (0..=place).rev().find(|at| self.says[*at] == says).is_some_and(|at| at == place) {
            return Stands::After;
        }
        if says == Says::Mdev(Some(Matrix::default())) && matches!(steps[step].write, Write::Remove(_)) {
            return if self.says[place - 1] == says { Stands::Before } else { Stands::Half };
        }
        if self.says[..place].contains(&says) {
            return Stands::Before;
        }
        // Half taken back, by the removal that comes before or after this step on the same file.
        let other = self.steps.iter().any(|at| *at < step && matches!(steps[*at].write, Write::Remove(_)));
        if other && says == Says::Mdev(Some(Matrix::default())) {
            return Stands::Before;
        }
        Stands::Neither(match says {
            Says::Adapters(mask) => mask.to_string(),
            Says::Domains(mask) => mask.to_string(),
            Says::Mdev(Some(matrix)) => ap_plan::state::triple(&matrix),
            Says::Mdev(None) => "no such mdev".to_owned(),
        })
    }
}

/// Where each step of a plan stands.
///
/// # Errors
/// If a file cannot be read.
pub fn effect(tree: &mut dyn Tree, steps: &[Undoable]) -> Result<Vec<Stands>, Fault> {
    let chains = Chain::all(steps);
    let says = chains.iter().map(|chain| chain.read(tree)).collect::<Result<Vec<_>, _>>()?;
    let agrees = |count: &usize| chains.iter().zip(&says).all(|(chain, says)| chain.after(*count) == *says);
    if let Some(count) = (0..=steps.len()).rev().find(agrees) {
        return Ok((0..steps.len())
            .map(|at| if at < count { Stands::After } else { Stands::Before })
            .collect());
    }
    let stands = |at: usize| {
        let file = file_of(&steps[at].write);
        let found = chains.iter().zip(&says).find(|(chain, _)| chain.file == file);
        found.map_or(Stands::Before, |(chain, says)| chain.stands(at, *says, steps))
    };
    Ok((0..steps.len()).map(stands).collect())
}

/// Where one step stands, all later ones on its file being taken back.
///
/// # Errors
/// If the file cannot be read.
pub fn stands(tree: &mut dyn Tree, steps: &[Undoable], step: usize) -> Result<Stands, Fault> {
    let chain = Chain::of(file_of(&steps[step].write), steps);
    let says = chain.read(tree)?;
    Ok(chain.stands(step, says, steps))
}
