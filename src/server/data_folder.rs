//! The data folder: whose it is, and that only one broker uses it.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use ottla_core::types::{BrokerId, Uuid};
use rustix::fs::{FlockOperation, flock};

/// A data folder that is ours.
#[derive(Debug)]
pub struct DataFolder {
    /// Where it is.
    pub path: PathBuf,
    /// The cluster that it belongs to.
    pub cluster_id: String,
    /// Its own id.
    pub directory_id: Uuid,
    /// Held for as long as the broker lives.
    _lock: File,
}

/// Why the data folder cannot be used.
#[derive(Debug)]
pub enum DataFolderError {
    /// It cannot be read or written.
    Io(PathBuf, io::Error),
    /// Another broker uses it.
    InUse(PathBuf),
    /// It holds something else.
    NotEmpty(PathBuf),
    /// It is that of another broker.
    OtherNode {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Who wants it.
        wanted: BrokerId,
    },
    /// The file that says whose it is cannot be understood.
    Malformed(PathBuf),
}

impl fmt::Display for DataFolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{} cannot be used: {error}", path.display()),
            Self::InUse(path) => write!(
                f,
                "{} is in use by another broker: stop that one, or choose another folder with --data",
                path.display()
            ),
            Self::NotEmpty(path) => write!(
                f,
                "{} is not empty and was not made by ottla: choose an empty folder with --data",
                path.display()
            ),
            Self::OtherNode { path, found, wanted } => write!(
                f,
                "{} belongs to the broker with node.id {found}, not {wanted}: set node.id to {found}, or choose another folder with --data",
                path.display()
            ),
            Self::Malformed(path) => write!(
                f,
                "{} cannot be understood: restore it from a copy, it names the cluster and the broker",
                path.display()
            ),
        }
    }
}

impl std::error::Error for DataFolderError {}

const LOCK: &str = ".lock";
const META: &str = "meta.properties";
const META_ASIDE: &str = "meta.properties.tmp";

impl DataFolder {
    /// Opens the folder, and formats it if it is empty; ids are made of `random`.
    pub fn open(
        path: &Path,
        node: BrokerId,
        random: (u128, u128),
    ) -> Result<Self, DataFolderError> {
        let failed = |error| DataFolderError::Io(path.to_owned(), error);
        fs::create_dir_all(path).map_err(failed)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(LOCK))
            .map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(DataFolderError::InUse(path.to_owned()));
            }
            Err(error) => return Err(failed(error.into())),
        }
        let meta = path.join(META);
        match fs::read_to_string(&meta) {
            Ok(text) => {
                let (cluster_id, found, directory_id) =
                    parse(&text).ok_or(DataFolderError::Malformed(meta))?;
                if found != node.to_string() {
                    let path = path.to_owned();
                    return Err(DataFolderError::OtherNode { path, found, wanted: node });
                }
                Ok(Self { path: path.to_owned(), cluster_id, directory_id, _lock: lock })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !is_empty(path).map_err(failed)? {
                    return Err(DataFolderError::NotEmpty(path.to_owned()));
                }
                let cluster_id = Uuid::from_random(random.0).to_string();
                let directory_id = Uuid::from_random(random.1);
                format(path, &cluster_id, node, directory_id).map_err(failed)?;
                Ok(Self { path: path.to_owned(), cluster_id, directory_id, _lock: lock })
            }
            Err(error) => Err(failed(error)),
        }
    }
}

fn is_empty(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        // The root of a file system of its own has a folder for what a repair finds.
        if ![LOCK, META_ASIDE, "lost+found"].iter().any(|known| name == *known) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn format(path: &Path, cluster_id: &str, node: BrokerId, directory: Uuid) -> io::Result<()> {
    let aside = path.join(META_ASIDE);
    let mut file = File::create(&aside)?;
    write!(file, "version=1\ncluster.id={cluster_id}\nnode.id={node}\ndirectory.id={directory}\n")?;
    file.sync_all()?;
    fs::rename(aside, path.join(META))?;
    File::open(path)?.sync_all()
}

/// The cluster's id, the broker's and the folder's.
fn parse(text: &str) -> Option<(String, String, Uuid)> {
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned)
    };
    let directory = value("directory.id")?.parse().ok()?;
    Some((value("cluster.id")?, value("node.id")?, directory))
}
