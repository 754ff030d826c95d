//! Finds `initdb` and `postgres`: where the caller says, on the PATH, or where systems put them.
//!
//! Distributions keep several major versions side by side and off the PATH; what stands on the PATH
//! may be a link or a wrapper with no `initdb` next to it. So each candidate is run and asked its version.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::error::ClusterError;
use super::privileges::RunAs;

/// The oldest major version that our SQL is meant for.
const OLDEST: u32 = 14;

/// A folder, the beginning of a name in it (the rest is the version), and the folder below that.
const VERSIONED: [(&str, &str, &str); 8] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/lib64", "postgresql-", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/opt/local/lib", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];
const PLAIN: [&str; 2] = ["/usr/local/pgsql/bin", "/opt/homebrew/bin"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    pub dir: PathBuf,
    /// As PostgreSQL writes it: `15.18`.
    pub version: String,
}

/// The binaries for data of the major version `data_version`, or the first ones when there is no data yet.
pub(super) fn find(
    bin_dir: Option<&Path>,
    run_as: &RunAs,
    data: Option<(&Path, &str)>,
) -> Result<Binaries, ClusterError> {
    let candidates = match bin_dir {
        Some(dir) => vec![std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned())],
        None => candidates(std::env::var_os("PATH").as_deref()),
    };
    let mut first = None;
    for binaries in candidates.into_iter().filter_map(|dir| ask_version(dir, run_as)) {
        if data.is_none_or(|(_, version)| major(version) == major(&binaries.version)) {
            return Ok(binaries);
        }
        first.get_or_insert(binaries);
    }
    match (first, data, bin_dir) {
        (Some(binaries), Some((path, version)), _) => Err(ClusterError::OtherVersion {
            path: path.to_owned(),
            data: version.to_owned(),
            installed: binaries.version,
        }),
        (_, _, Some(dir)) => Err(ClusterError::NoBinariesIn { dir: dir.to_owned() }),
        _ => Err(ClusterError::NoBinaries),
    }
}

/// PATH first, then the distributions' folders with the newest version first; each folder once.
fn candidates(path: Option<&OsStr>) -> Vec<PathBuf> {
    let on_path = path.into_iter().flat_map(std::env::split_paths).flat_map(|dir| {
        let real = dir.join("postgres").canonicalize().ok();
        real.and_then(|file| file.parent().map(Path::to_owned)).into_iter().chain([dir])
    });
    let versioned = VERSIONED.iter().flat_map(|(parent, prefix, below)| versions_in(parent, prefix, below));
    let mut versioned: Vec<_> = versioned.collect();
    versioned.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    let mut seen = HashSet::new();
    on_path
        .chain(versioned.into_iter().map(|(_, dir)| dir))
        .chain(PLAIN.iter().map(PathBuf::from))
        .filter(|dir| dir.is_absolute() && dir.join("initdb").is_file() && dir.join("postgres").is_file())
        .filter(|dir| seen.insert(dir.clone()))
        .collect()
}

fn versions_in(parent: &str, prefix: &str, below: &str) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let found = entries.flatten().filter_map(|entry| {
        let name = entry.file_name();
        let version = major(name.to_str()?.strip_prefix(prefix)?)?;
        Some((version, entry.path().join(below)))
    });
    found.collect()
}

/// Runs `postgres -V` as the user who is to run it later; who cannot run it has no use for it.
fn ask_version(dir: PathBuf, run_as: &RunAs) -> Option<Binaries> {
    if !dir.join("initdb").is_file() {
        return None;
    }
    let output = run_as.command(dir.join("postgres")).arg("-V").stderr(Stdio::null()).output().ok()?;
    let version = version_in(&String::from_utf8_lossy(&output.stdout))?;
    (major(&version)? >= OLDEST).then_some(Binaries { dir, version })
}

/// `15.18` of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn version_in(line: &str) -> Option<String> {
    let version = line.split_once("(PostgreSQL) ")?.1.split_whitespace().next()?;
    Some(version.to_owned())
}

fn major(version: &str) -> Option<u32> {
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_postgres_prints() {
        for (line, version, number) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", "15.18", 15),
            ("postgres (PostgreSQL) 17beta1\n", "17beta1", 17),
            ("postgres (PostgreSQL) 9.6.24\n", "9.6.24", 9),
        ] {
            assert_eq!(version_in(line).as_deref(), Some(version));
            assert_eq!(major(version), Some(number));
        }
        assert_eq!(version_in("no such command"), None);
    }

    #[test]
    fn a_link_on_the_path_leads_to_the_folder_that_has_both() {
        let top = std::env::temp_dir().join(format!("trunkline-find-{}", std::process::id()));
        let (real, links) = (top.join("lib/bin"), top.join("links"));
        std::fs::create_dir_all(&real).unwrap();
        std::fs::create_dir_all(&links).unwrap();
        std::fs::write(real.join("postgres"), "").unwrap();
        std::fs::write(real.join("initdb"), "").unwrap();
        std::os::unix::fs::symlink(real.join("postgres"), links.join("postgres")).unwrap();
        let found = candidates(Some(links.as_os_str()));
        assert_eq!(found.first(), Some(&real.canonicalize().unwrap()));
        assert!(!found.contains(&links), "no initdb there");
        std::fs::remove_dir_all(top).unwrap();
    }

    #[test]
    fn newer_versions_come_before_older_ones() {
        let top = std::env::temp_dir().join(format!("trunkline-versions-{}", std::process::id()));
        for name in ["9.6", "14", "17", "16", "common"] {
            std::fs::create_dir_all(top.join(name)).unwrap();
        }
        let mut found = versions_in(top.to_str().unwrap(), "", "bin");
        found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
        assert_eq!(found.iter().map(|(version, _)| *version).collect::<Vec<_>>(), [17, 16, 14, 9]);
        std::fs::remove_dir_all(top).unwrap();
    }
}
