//! PgBouncer in front of a cluster, pooling transactions, when `TRUNKLINE_TEST_POOLER` names its program
//! (`make test-pooler`). Then every test reaches its database through it.

use std::fs::{File, Permissions};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use trunkline_store::cluster::Cluster;

const PROGRAM: &str = "TRUNKLINE_TEST_POOLER";
/// Sessions of PostgreSQL for each database: fewer than the connections that a test with a few workers has.
const SESSIONS: u32 = 20;

/// Ends with this value, and with this process.
pub struct Pooler {
    folder: PathBuf,
    program: PathBuf,
    user: u32,
    port: u16,
    /// A shell that waits for the end of its input, which is ours, and then ends PgBouncer.
    shell: Child,
    pid: i32,
}

impl Pooler {
    pub fn is_wanted() -> bool {
        std::env::var_os(PROGRAM).is_some()
    }

    /// `None` where tests are to reach PostgreSQL themselves.
    pub fn before(cluster: &Cluster) -> Option<Self> {
        let program = PathBuf::from(std::env::var_os(PROGRAM)?);
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("trunkline-pooler-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        // Who alone may use PostgreSQL's socket. PgBouncer, too, refuses to be root.
        let user = cluster.socket_dir().metadata().unwrap().uid();
        std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        let settings = format!(
            "[databases]\n\
             * = host={} port=5432 user=postgres\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = any\n\
             pool_mode = transaction\n\
             default_pool_size = {SESSIONS}\n\
             max_client_conn = 2000\n\
             server_idle_timeout = 5\n\
             log_connections = 0\n\
             log_disconnections = 0\n",
            cluster.socket_dir().display(),
        );
        std::fs::write(folder.join("pgbouncer.ini"), settings).unwrap();
        File::create(folder.join("log")).unwrap();
        let (shell, pid) = launch(&program, &folder, user);
        let pooler = Self { folder, program, user, port, shell, pid };
        pooler.until_it_listens();
        Some(pooler)
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// `kill -9`, and another one in its place.
    pub fn kill(&mut self) {
        kill_process(Pid::from_raw(self.pid).unwrap(), Signal::KILL).unwrap();
        self.end();
        (self.shell, self.pid) = launch(&self.program, &self.folder, self.user);
    }

    fn until_it_listens(&self) {
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let log = || std::fs::read_to_string(self.folder.join("log")).unwrap();
            assert!(begun.elapsed().as_secs() < 10, "PgBouncer does not listen: {}", log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn end(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.end();
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn launch(program: &Path, folder: &Path, user: u32) -> (Child, i32) {
    let log = File::options().append(true).open(folder.join("log")).unwrap();
    let script = "\"$0\" -q \"$1\" </dev/null >&2 & echo $!; read -r end; kill -KILL $!; wait $!";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).arg(program).arg(folder.join("pgbouncer.ini"));
    command.env_clear().process_group(0).current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.uid(user);
    }
    let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(shell.stdout.take().unwrap()).read_line(&mut said).unwrap();
    (shell, said.trim().parse().unwrap())
}
