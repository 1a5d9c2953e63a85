//! Which steps of a plan are in effect on a host: by the files that they write, each of which may be written more than
//! once.
//!
//! A file's *chain* is what it says before its first step and after each. Steps are done and taken back in order, so a
//! host between a plan's two ends is as after some number of its steps; if somebody else wrote meanwhile, each file is
//! at some place of its own chain, or at none.

use ap_plan::Write;
use ap_plan::meaning::of_matrix;
use ap_plan::reason::{adapters, domains};
use ap_plan::state::Driver;
use ap_types::grammar::mask_parameter;
use ap_types::{AdapterMask, Apqn, DomainMask, Matrix, Uuid};

use crate::tree::{Fault, Kind, Tree};
use crate::undo::{Undoable, matrix_of};

/// Where a step's file is, seen from the step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stands {
    /// The step is not in effect.
    Before,
    /// It is.
    After,
    /// Half taken back: an mdev was made again, and has no matrix yet.
    Half,
    /// Somebody else wrote the file. What it says now, a sentence in ids.
    Neither(String),
}

/// A file that steps write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum File {
    Apmask,
    Aqmask,
    Mdev(Uuid),
    Override(Apqn),
    Binding(Apqn),
}

/// What a file says, as far as steps change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Adapters(AdapterMask),
    Domains(DomainMask),
    Mdev(Option<Matrix>),
    Override(Option<Driver>),
    /// An override that names another driver, or a driver that is neither.
    Other,
    Binding(Option<Driver>),
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
        Write::Override(apqn, _) => File::Override(*apqn),
        Write::Unbind(apqn, _) | Write::Bind(apqn, _) => File::Binding(*apqn),
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
            File::Override(_) | File::Binding(_) => Says::Binding(None),
            File::Mdev(_) => Says::Mdev(match mine.first().map(|at| &steps[*at]) {
                Some(Undoable { write: Write::Create(_), .. }) | None => None,
                Some(step) => Some(step.old_matrix()),
            }),
        };
        if let Some(step) = mine.first().map(|at| &steps[*at]) {
            now = match &step.write {
                Write::Override(..) => Says::Override(step.old_override()),
                Write::Unbind(_, driver) => Says::Binding(Some(*driver)),
                Write::Bind(..) => Says::Binding(None),
                _ => now,
            };
        }
        let mut says = vec![now];
        for step in mine.iter().map(|at| &steps[*at]) {
            now = match (&step.write, now) {
                (Write::Apmask(delta), Says::Adapters(mask)) => Says::Adapters(delta.applied(mask)),
                (Write::Aqmask(delta), Says::Domains(mask)) => Says::Domains(delta.applied(mask)),
                (Write::Create(_), _) => Says::Mdev(Some(Matrix::default())),
                (Write::Remove(_), _) => Says::Mdev(None),
                (Write::Config(_, matrix), _) => Says::Mdev(Some(*matrix)),
                (Write::Override(_, driver), _) => Says::Override(*driver),
                (Write::Unbind(..), _) => Says::Binding(None),
                (Write::Bind(_, driver), _) => Says::Binding(Some(*driver)),
                (_, now) => now,
            };
            says.push(now);
        }
        Chain { file, adapters, domains, says, steps: mine }
    }

    /// Whether, after so many steps of the whole plan, what it says follows from the masks: a queue's driver, where a
    /// mask was written since the file's last step, or will be before its next one.
    fn follows_masks(&self, count: usize, masks: &[usize]) -> bool {
        if !matches!(self.file, File::Binding(_)) {
            return false;
        }
        let next = self.steps.iter().copied().find(|at| *at >= count).unwrap_or(usize::MAX);
        let last = self.steps.iter().copied().rfind(|at| *at < count);
        let since = last.is_some_and(|last| masks.iter().any(|at| *at > last && *at < count));
        since || last.is_none() && masks.iter().any(|at| *at >= count && *at < next)
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
            File::Override(apqn) => {
                let text = tree.read(&format!("devices/ap/card{}/{apqn}/driver_override", apqn.adapter))?;
                match text.trim_end_matches('\n') {
                    "" => Says::Override(None),
                    name => {
                        Driver::from_name(name).map_or(Says::Other, |driver| Says::Override(Some(driver)))
                    }
                }
            }
            File::Binding(apqn) => match tree.link(&format!("devices/ap/card{}/{apqn}/driver", apqn.adapter))
            {
                Ok(target) => {
                    let driver = target.rsplit('/').next().and_then(Driver::from_name);
                    driver.map_or(Says::Other, |driver| Says::Binding(Some(driver)))
                }
                Err(fault) if fault.kind == Kind::NotFound => {
                    // No link: no driver; or no queue, or no tree at all.
                    tree.read(&format!("devices/ap/card{}/{apqn}/config", apqn.adapter))?;
                    Says::Binding(None)
                }
                Err(fault) => return Err(fault),
            },
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
        let hosts = |all: String, has: Option<String>| match has {
            Some(has) => format!("of {all}, which the apply writes, the host has {has} only"),
            None => format!("the host has none of {all}, which the apply writes"),
        };
        Stands::Neither(match says {
            Says::Adapters(mask) => {
                hosts(adapters(&self.adapters), (!mask.is_empty()).then(|| adapters(&mask)))
            }
            Says::Domains(mask) => hosts(domains(&self.domains), (!mask.is_empty()).then(|| domains(&mask))),
            Says::Mdev(Some(matrix)) => format!("it has {}", of_matrix(&matrix)),
            Says::Mdev(None) => "there is no such mdev".to_owned(),
            Says::Override(None) => "there is no override".to_owned(),
            Says::Override(Some(driver)) => format!("the override is {}", driver.name()),
            Says::Binding(None) => "the queue has no driver".to_owned(),
            Says::Binding(Some(driver)) => format!("the queue is bound to {}", driver.name()),
            Says::Other => "it is another driver".to_owned(),
        })
    }
}

/// After how many of its steps a host is that is between a plan's two ends; `None` if somebody else wrote meanwhile.
///
/// # Errors
/// If a file cannot be read.
pub fn located(tree: &mut dyn Tree, steps: &[Undoable]) -> Result<Option<usize>, Fault> {
    let (chains, says) = read(tree, steps)?;
    Ok(locate(&chains, &says, steps))
}

fn read(tree: &mut dyn Tree, steps: &[Undoable]) -> Result<(Vec<Chain>, Vec<Says>), Fault> {
    let chains = Chain::all(steps);
    let says = chains.iter().map(|chain| chain.read(tree)).collect::<Result<Vec<_>, _>>()?;
    Ok((chains, says))
}

fn locate(chains: &[Chain], says: &[Says], steps: &[Undoable]) -> Option<usize> {
    let masks: Vec<usize> = (0..steps.len())
        .filter(|at| matches!(steps[*at].write, Write::Apmask(_) | Write::Aqmask(_)))
        .collect();
    let agrees = |count: &usize| {
        chains
            .iter()
            .zip(says)
            .all(|(chain, says)| chain.follows_masks(*count, &masks) || chain.after(*count) == *says)
    };
    (0..=steps.len()).rev().find(agrees)
}

/// Where each step of a plan stands.
///
/// # Errors
/// If a file cannot be read.
pub fn effect(tree: &mut dyn Tree, steps: &[Undoable]) -> Result<Vec<Stands>, Fault> {
    let (chains, says) = read(tree, steps)?;
    if let Some(count) = locate(&chains, &says, steps) {
        return Ok((0..steps.len())
            .map(|at| if at < count { Stands::After } else { Stands::Before })
            .collect());
    }
    let mut all = vec![Stands::Before; steps.len()];
    for (chain, says) in chains.iter().zip(&says) {
        let place = chain.says.iter().rposition(|known| known == says);
        for (index, at) in chain.steps.iter().enumerate() {
            all[*at] = match place {
                Some(place) if index < place => Stands::After,
                Some(_) => Stands::Before,
                None => chain.stands(*at, *says, steps),
            };
        }
    }
    Ok(all)
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
