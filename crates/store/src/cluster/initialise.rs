//! Makes a new data folder with `initdb`. It gets its name only when it is whole.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use super::choose_home::Home;
use super::error::{ClusterError, Doing};
use super::find_binaries::Binaries;
use super::options::Durability;
use super::privileges::RunAs;
use super::watchdog::Watchdog;

/// The superuser that `initdb` makes, and as whom we connect.
pub(super) const SUPERUSER: &str = "postgres";

/// The major version of the data that is there, as PostgreSQL wrote it down; `None` for a new home.
pub(super) fn data_version(home: &Home) -> Result<Option<String>, ClusterError> {
    let data = home.data();
    if !data.exists() {
        return Ok(None);
    }
    match std::fs::read_to_string(data.join("PG_VERSION")) {
        Ok(version) => Ok(Some(version.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(ClusterError::NotOurs { path: data })
        }
        Err(source) => Err(ClusterError::Io { action: "read", path: data.join("PG_VERSION"), source }),
    }
}

pub(super) fn initialise(
    home: &Home,
    binaries: &Binaries,
    run_as: &RunAs,
    durability: Durability,
    watchdog: &mut Watchdog,
) -> Result<(), ClusterError> {
    let unfinished = home.root.join("data.new");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).doing("remove", &unfinished)?;
    }
    run_initdb(&unfinished, home, binaries, run_as, durability, watchdog)?;
    let data = home.data();
    std::fs::rename(&unfinished, &data).doing("name", &data)?;
    if durability == Durability::Full {
        File::open(&home.root).and_then(|dir| dir.sync_all()).doing("sync", &home.root)?;
    }
    Ok(())
}

/// Only local users who can open the socket folder get in, and those are us: hence `trust`.
fn run_initdb(
    into: &Path,
    home: &Home,
    binaries: &Binaries,
    run_as: &RunAs,
    durability: Durability,
    watchdog: &mut Watchdog,
) -> Result<(), ClusterError> {
    let program = binaries.dir.join("initdb");
    let mut command = run_as.command(&program);
    command.arg("-D").arg(into).args(["-U", SUPERUSER, "--auth-local=trust", "--auth-host=reject"]);
    command.args(["--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions"]);
    if durability == Durability::ForTests {
        command.arg("--no-sync");
    }
    command.current_dir(&home.root).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().doing("run", &program)?;
    watchdog.guard(child.id());
    let output = child.wait_with_output().doing("run", &program)?;
    watchdog.release();
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(ClusterError::Initdb { status: output.status.to_string(), output: said.trim().replace('\n', "; ") })
}
