//! Which host a command is about.

use std::path::{Path, PathBuf};

use ap_apply::import::{ImportError, Imported, import};
use ap_apply::twin::Twin;
use ap_files::MachineFile;
use ap_plan::State;

use crate::error::CliError;
use crate::plan::archive::ArchiveTree;
use crate::plan::tree::FileTree;

/// A host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// The tree at that path.
    Root(PathBuf),
    /// A built-in machine or a machine file, right after it has booted.
    Machine(String),
    /// The tree in that archive.
    Archive(PathBuf),
}

impl Host {
    /// What a word means: a directory is a tree; a tar file an archive; anything else a machine.
    #[must_use]
    pub fn of_word(word: &str) -> Host {
        let path = Path::new(word);
        let packed = [".tar", ".tgz", ".tar.gz", ".tar.xz", ".txz"].iter().any(|end| word.ends_with(end));
        match (path.is_dir(), packed) {
            (true, _) => Host::Root(path.to_owned()),
            (_, true) => Host::Archive(path.to_owned()),
            _ => Host::Machine(word.to_owned()),
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// If it is not there, or cannot be read.
    pub fn read(&self) -> Result<Imported, CliError> {
        match self {
            Host::Root(root) => import(&mut FileTree::new(root))
                .map_err(|error| unreadable(&root.display().to_string(), error)),
            Host::Archive(path) => {
                let name = path.display().to_string();
                import(&mut ArchiveTree::open(path)?).map_err(|error| unreadable(&name, error))
            }
            Host::Machine(name) => {
                // What a default changes is noted of what is wanted.
                let (machine, notes) = MachineFile::load_noted(name)?;
                Ok(Imported { state: State::of(&machine), machine, notes: notes.ids })
            }
        }
    }

    /// Reads it again, with everything that is shown of it. A machine that is not here is booted.
    ///
    /// # Errors
    /// If it is not there any more, or does not boot.
    pub fn view(&self, imported: &Imported) -> Result<ap_view::Host, CliError> {
        let name = self.name();
        let read = match self {
            Host::Root(root) => ap_view::read::read(&mut FileTree::new(root), &name),
            Host::Archive(path) => ap_view::read::read(&mut ArchiveTree::open(path)?, &name),
            Host::Machine(_) => {
                let twin = Twin::of(imported);
                let mut twin = twin.map_err(|error| CliError::failed(error.to_string()).because(error))?;
                ap_view::read::read(twin.session(), &name)
            }
        };
        read.map_err(|error| unreadable(&name, error))
    }

    /// How it is called.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Host::Root(path) | Host::Archive(path) => path.display().to_string(),
            Host::Machine(name) => name.clone(),
        }
    }
}

/// Why a host cannot be read, for people.
#[must_use]
pub fn unreadable(root: &str, error: ImportError) -> CliError {
    let shown = match &error {
        ImportError::NoBus => CliError::environment(format!("there is no AP bus at {root}/bus/ap"))
            .hint("on a real host load the module `ap`; for an emulated one: `apmatrix run -- apmatrix …`")
            .elsewhere(),
        ImportError::Fault(fault) => {
            let shown = CliError::environment(fault.to_string());
            match fault.name.as_str() {
                "EACCES" | "EPERM" => shown.hint("be root, or name a tree that you may read: `--root DIR`"),
                _ => shown,
            }
        }
        ImportError::Strange { .. } => CliError::environment(format!("{root}: {error}"))
            .hint("please report this, with the kernel's version"),
    };
    shown.because(error)
}
