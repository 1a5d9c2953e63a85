//! A host's `/sys` in a tar file, as `dbginfo.sh` and `sos report` make them: plain, gzip or xz.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Component, Path};

use ap_apply::tree::{Fault, Opener, Tree};
use ap_files::said;
use ap_sysfs::Errno;

use crate::error::CliError;

/// The largest file of an attribute; what is longer is none.
const MOST_BYTES: u64 = 64 * 1024;
/// The most files below a tree that are kept.
const MOST_FILES: usize = 2_000_000;

/// What a path of an archive is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    File(String),
    Link(String),
    Directory,
}

/// A tree in an archive.
#[derive(Debug)]
pub struct ArchiveTree {
    nodes: BTreeMap<String, Node>,
}

impl ArchiveTree {
    /// Reads an archive.
    ///
    /// # Errors
    /// If it cannot be read, is none, or has no AP bus.
    pub fn open(path: &Path) -> Result<ArchiveTree, CliError> {
        let file = File::open(path).map_err(|error| CliError::unread(path, error))?;
        let mut all = BTreeMap::new();
        let reader = unpacked(Box::new(BufReader::new(file))).map_err(|error| unreadable(path, error))?;
        read(reader, "", &mut all, true).map_err(|error| unreadable(path, error))?;
        let root = all.keys().find_map(|name| name.strip_suffix("bus/ap/apmask").map(str::to_owned));
        let Some(root) = root else {
            return Err(CliError::input(format!("{} has no AP bus in it", path.display())).hint(
                "expected a tar file with sys/bus/ap/apmask and what is beside it, as `dbginfo.sh` and `sos report` \
                 make them",
            ));
        };
        let nodes =
            all.into_iter().filter_map(|(name, node)| Some((name.strip_prefix(&root)?.to_owned(), node)));
        Ok(ArchiveTree { nodes: nodes.collect() })
    }

    /// Follows links on the way, and a last one if asked to.
    fn resolve(&self, path: &str, follow: bool) -> Option<String> {
        let mut left: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        let mut at: Vec<String> = Vec::new();
        let mut links = 0;
        while let Some(name) = left.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    at.pop();
                    continue;
                }
                _ => at.push(name),
            }
            let here = at.join("/");
            if let Some(Node::Link(target)) = self.nodes.get(&here)
                && (follow || !left.is_empty())
            {
                links += 1;
                if links > 40 {
                    return None;
                }
                at.pop();
                let target = match target.strip_prefix("/sys/") {
                    Some(inside) => {
                        at.clear();
                        inside
                    }
                    None => target,
                };
                left.extend(target.rsplit('/').map(str::to_owned));
            }
        }
        Some(at.join("/"))
    }
}

fn unreadable(path: &Path, error: io::Error) -> CliError {
    // What is wrong with it may quote its bytes: that is for the chain of causes.
    let what = match error.raw_os_error() {
        Some(_) => format!("{}: {}", path.display(), said(&error)),
        None => format!("{} is no tar file that can be read", path.display()),
    };
    CliError::input(what)
        .hint(
            "expected a tar file, plain or compressed by gzip or xz; others: `zstdcat FILE > FILE.tar` first",
        )
        .because(error)
}

/// What a stream is once it is decompressed, by its first bytes.
fn unpacked<'a>(mut reader: Box<dyn Read + 'a>) -> io::Result<Box<dyn Read + 'a>> {
    let mut head = [0; 6];
    let mut filled = 0;
    while filled < head.len() {
        match reader.read(&mut head[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    let whole = io::Cursor::new(head[..filled].to_vec()).chain(reader);
    Ok(match &head[..filled] {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(whole)),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Box::new(lzma_rust2::XzReader::new(whole, true)),
        _ => Box::new(whole),
    })
}

/// Keeps what can be an attribute or a link; looks once into archives of `/sys` inside.
fn read(reader: impl Read, inside: &str, all: &mut BTreeMap<String, Node>, nested: bool) -> io::Result<()> {
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let Some(name) = plain(&path) else { continue };
        let name = format!("{inside}{name}");
        if all.len() >= MOST_FILES {
            return Err(io::Error::other("it has more files than any host's /sys"));
        }
        let kind = entry.header().entry_type();
        if kind.is_symlink() {
            let target = entry.link_name()?.map(|target| target.display().to_string()).unwrap_or_default();
            all.insert(name, Node::Link(target));
        } else if kind.is_dir() {
            all.insert(name, Node::Directory);
        } else if kind.is_file() && nested && is_archive(&name) {
            let reader = unpacked(Box::new(&mut entry))?;
            read(reader, &format!("{name}!/"), all, false)?;
        } else if kind.is_file() && entry.size() <= MOST_BYTES && is_wanted(&name) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            // tar pads what is shorter than stat said with zeros.
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            all.insert(name, Node::File(String::from_utf8_lossy(&bytes[..end]).into_owned()));
        }
    }
    Ok(())
}

/// An archive of `/sys` inside another one.
fn is_archive(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or_default();
    let packed = [".tgz", ".tar.gz", ".tar.xz", ".txz", ".tar"].iter().any(|end| file.ends_with(end));
    packed && file.contains("sys")
}

fn is_wanted(name: &str) -> bool {
    // The last one is an emulated host's: which guests run.
    const WANTED: [&str; 6] = [
        "bus/ap/",
        "devices/ap/",
        "devices/vfio_ap/",
        "bus/matrix/",
        "bus/mdev/",
        "kernel/debug/apmatrix/guests",
    ];
    WANTED.iter().any(|part| name.contains(part))
}

/// The path as text, without what leads out of it.
fn plain(path: &Path) -> Option<String> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_str().map(str::to_owned)),
        Component::CurDir | Component::RootDir => None,
        _ => Some(None),
    });
    Some(parts.collect::<Option<Vec<_>>>()?.join("/"))
}

impl Tree for ArchiveTree {
    fn read(&mut self, path: &str) -> Result<String, Fault> {
        let place = self.resolve(path, true).ok_or_else(|| Fault::of(path, Errno::ELOOP))?;
        match self.nodes.get(&place) {
            Some(Node::File(text)) => Ok(text.clone()),
            Some(_) => Err(Fault::of(path, Errno::EISDIR)),
            None => Err(Fault::of(path, Errno::ENOENT)),
        }
    }

    fn write(&mut self, path: &str, _text: &str) -> Result<(), Fault> {
        Err(Fault::of(path, Errno::EROFS))
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, Fault> {
        let place = self.resolve(path, true).ok_or_else(|| Fault::of(path, Errno::ELOOP))?;
        let prefix = format!("{place}/");
        let inside = self.nodes.range(prefix.clone()..).take_while(|(name, _)| name.starts_with(&prefix));
        let mut names: Vec<String> = inside
            .filter_map(|(name, _)| name[prefix.len()..].split('/').next().map(str::to_owned))
            .collect();
        names.dedup();
        names.retain(|name| !name.is_empty());
        match names.is_empty() && !self.nodes.contains_key(&place) {
            true => Err(Fault::of(path, Errno::ENOENT)),
            false => Ok(names),
        }
    }

    fn link(&mut self, path: &str) -> Result<String, Fault> {
        let place = self.resolve(path, false).ok_or_else(|| Fault::of(path, Errno::ELOOP))?;
        match self.nodes.get(&place) {
            Some(Node::Link(target)) => Ok(target.clone()),
            Some(_) => Err(Fault::of(path, Errno::EINVAL)),
            None => Err(Fault::of(path, Errno::ENOENT)),
        }
    }

    fn openers(&mut self, _group: &str) -> Vec<Opener> {
        Vec::new()
    }

    fn sleep(&mut self, _milliseconds: u64) {}
}
