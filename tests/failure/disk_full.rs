//! The disk of PostgreSQL's log is full: it dies, and cannot come back before there is room.

use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use trunkline_store::cluster::{Cluster, ClusterOptions};

use crate::fleet::Fleet;
use crate::support::extent::{either, promised, skipped};
use crate::support::until;

/// A small disk; gone with this value.
struct Disk(PathBuf);

impl Disk {
    /// `None` for whom the system lets mount none.
    fn mount(path: PathBuf, mebibytes: u32) -> Option<Self> {
        std::fs::create_dir_all(&path).unwrap();
        let options = format!("size={mebibytes}m,mode=0700");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(path))
    }

    /// Nothing fits any more.
    fn fill(&self) {
        use std::io::Write;
        let mut ballast = std::fs::File::create(self.0.join("ballast")).unwrap();
        while ballast.write_all(&[0; 1 << 12]).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Moves PostgreSQL's log to the disk.
fn move_log(data: &Path, disk: &Disk) {
    let log = data.join("pg_wal");
    let owner = log.metadata().unwrap();
    chown(&disk.0, Some(owner.uid()), Some(owner.gid())).unwrap();
    let moved = Command::new("cp").arg("-a").arg(log.join(".")).arg(&disk.0).output().unwrap();
    assert!(moved.status.success(), "{moved:?}");
    std::fs::remove_dir_all(&log).unwrap();
    symlink(&disk.0, &log).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_what_it_cannot_keep_and_loses_nothing() {
    let folder = std::env::temp_dir().join(format!("trunkline-disk-{}", std::process::id()));
    let mount = std::env::temp_dir().join(format!("trunkline-disk-{}-log", std::process::id()));
    let Some(disk) = Disk::mount(mount.clone(), 160) else {
        skipped("only root mounts a small disk");
        std::fs::remove_dir_all(mount).unwrap();
        return;
    };
    let small = ["max_wal_size", "min_wal_size"].map(|name| (name.to_owned(), "64MB".to_owned()));
    let options = ClusterOptions { settings: small.into(), ..ClusterOptions::for_tests(folder.clone()) };
    let cluster = Cluster::start(options.clone()).await.unwrap();
    let data = cluster.postgres_dir().join("data");
    cluster.stop().await;
    move_log(&data, &disk);
    let cluster = Cluster::start(options).await.unwrap();
    let fleet = Fleet::on(cluster, folder, 1, 2).await;
    // So many that some are in the middle of a commit when it dies.
    let load = fleet.begin_load(16, Duration::from_millis(5)).await;
    for round in 0..either(1, 10) {
        fleet.until_more_ended(20).await;
        let refused = load.refused();
        disk.fill();
        // What room there is in the files that are there is used up soon, and no new one can be made.
        until("PostgreSQL cannot write", || async {
            let switch = "create temporary table t on commit drop as select 1; select pg_switch_wal()";
            sqlx::raw_sql(switch).execute(fleet.app.store().pool()).await.is_err()
        })
        .await;
        until("customers are told to come again", || async { load.refused() > refused + 2 }).await;
        disk.make_room();
        let begun = Instant::now();
        fleet.until_more_ended(1).await;
        assert!(begun.elapsed() < promised(30), "round {round}: {:?}", begun.elapsed());
    }
    fleet.finish(load).await;
    drop(disk);
    std::fs::remove_dir_all(mount).unwrap();
}
