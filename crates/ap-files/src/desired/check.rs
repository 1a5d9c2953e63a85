//! What a desired state means: ids that can exist, mdevs that can exist together.

use std::ops::Range;

use ap_types::{Mask, Matrix, Uuid};
use toml::Spanned;

use super::format::{self, File, SCHEMA};
use super::model::{Boot, DesiredFile, DesiredMdev, Give, Unlisted};
use crate::error::Problem;
use crate::machine::check::{named, shares};
use crate::machine::ids::Ids;
use crate::machine::masks::wish;
use crate::problem;
use crate::problem::twice;

/// The mdevs of a file so far: each once, and no queue in two.
#[derive(Debug, Default)]
pub(super) struct Mdevs(Vec<DesiredMdev>);

impl Mdevs {
    /// Adds one.
    pub(super) fn add(&mut self, mdev: DesiredMdev, span: Range<usize>) -> Result<(), Problem> {
        if self.0.iter().any(|other| other.uuid == mdev.uuid) {
            return Err(twice(span, &format!("mdev {}", mdev.uuid)));
        }
        if let Some(other) = self.0.iter().find(|other| other.matrix.shares_queue(&mdev.matrix)) {
            return Err(shares(span, &other.matrix.shared(&mdev.matrix), &other.uuid));
        }
        self.0.push(mdev);
        Ok(())
    }

    /// All of them.
    pub(super) fn into_list(self) -> Vec<DesiredMdev> {
        self.0
    }
}

/// The desired state that a file says.
pub(super) fn desired(file: File) -> Result<DesiredFile, Problem> {
    problem::version(&file.schema, SCHEMA)?;
    let unlisted = match file.unlisted {
        None | Some(format::Unlisted::Keep) => Unlisted::Keep,
        Some(format::Unlisted::Remove) => Unlisted::Remove,
    };
    let mut mdevs = Mdevs::default();
    for mdev in &file.mdev {
        let mdev = mdev.get_ref();
        mdevs.add(
            DesiredMdev {
                uuid: uuid(&mdev.uuid)?,
                matrix: matrix(mdev)?,
                control_by_default: mdev.control_domains.is_none(),
                boot: mdev.boot.map(boot),
            },
            mdev.uuid.span(),
        )?;
    }
    Ok(DesiredFile {
        unlisted,
        give: file.host.give.map(|give| match give {
            format::Give::Masks => Give::Masks,
            format::Give::Override => Give::Override,
        }),
        apmask: file.host.apmask.as_ref().map(wish).transpose()?,
        aqmask: file.host.aqmask.as_ref().map(wish).transpose()?,
        mdevs: mdevs.into_list(),
    })
}

fn uuid(text: &Spanned<String>) -> Result<Uuid, Problem> {
    named(text)
}

fn boot(boot: format::Boot) -> Boot {
    match boot {
        format::Boot::Auto => Boot::Auto,
        format::Boot::Manual => Boot::Manual,
        format::Boot::None => Boot::None,
    }
}

fn matrix(mdev: &format::Mdev) -> Result<Matrix, Problem> {
    let domains = ids(mdev.domains.as_ref(), "domain")?.unwrap_or_default();
    Ok(Matrix {
        adapters: ids(mdev.adapters.as_ref(), "adapter")?.unwrap_or_default(),
        domains,
        control_domains: ids(mdev.control_domains.as_ref(), "control domain")?.unwrap_or(domains),
    })
}

/// Ids, each once.
fn ids<M: Mask + FromIterator<M::Id>>(ids: Option<&Spanned<Ids>>, what: &str) -> Result<Option<M>, Problem> {
    let Some(ids) = ids else { return Ok(None) };
    let mut all: Vec<u8> = Vec::new();
    let mut add = |first: u8, last: u8, span: Range<usize>| {
        for id in first..=last {
            if all.contains(&id) {
                return Err(twice(span, &format!("{what} {id}")));
            }
            all.push(id);
        }
        Ok(())
    };
    match ids.get_ref() {
        Ids::One(item) => add(item.first, item.last, ids.span())?,
        Ids::Many(items) => {
            for item in items {
                add(item.get_ref().first, item.get_ref().last, item.span())?;
            }
        }
    }
    Ok(Some(all.into_iter().map(M::Id::from).collect()))
}
