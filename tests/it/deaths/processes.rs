//! Processes of the real binary: workers, and servers.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{MASTER_KEY, until};

/// Seconds; the shortest that the command line takes.
pub const LEASE: &str = "3";

/// Lines of a process's log that a failed test shows.
const SHOWN: usize = 20;

/// Killed when dropped.
pub struct WorkerProcess {
    child: Child,
    pub name: String,
    log: PathBuf,
}

impl WorkerProcess {
    pub fn start(database_url: &str) -> Self {
        Self::start_with(database_url, &[])
    }

    pub fn start_with(database_url: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_role("worker", database_url, environment)
    }

    /// A process of `trunkline serve`, with an environment of its own.
    pub fn start_server(database_url: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_role("serve", database_url, environment)
    }

    fn start_role(role: &str, database_url: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_program(Path::new(env!("CARGO_BIN_EXE_trunkline")), role, database_url, environment)
    }

    /// A process of another build.
    pub fn start_program(
        program: &Path,
        role: &str,
        database_url: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        Self::start_command(Command::new(program), role, database_url, environment)
    }

    /// A worker in another network, whose path this is.
    #[allow(dead_code, reason = "`tests/failure` does")]
    pub fn start_in_network(network: &str, database_url: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={network}")).arg(env!("CARGO_BIN_EXE_trunkline"));
        Self::start_command(command, "worker", database_url, environment)
    }

    fn start_command(
        mut command: Command,
        role: &str,
        database_url: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let name = new_name(role);
        let log = log_of(&name);
        let output = File::create(&log).unwrap();
        let child = command
            .arg(role)
            .env_clear()
            .env("DATABASE_URL", database_url)
            .env("TRUNKLINE_MASTER_KEY", MASTER_KEY)
            .env("TRUNKLINE_WORKER_NAME", &name)
            .env("TRUNKLINE_LEASE_SECONDS", LEASE)
            .env("TRUNKLINE_ALLOW_ADDRESSES", "127.0.0.0/8")
            .env("TRUNKLINE_EVALUATORS", "1")
            .env("TRUNKLINE_SCRIPT_MILLISECONDS", "20000")
            .env("TRUNKLINE_LOG_FORMAT", "json")
            .env("TRUNKLINE_MASTER_KEY", MASTER_KEY)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self { child, name, log }
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid()).unwrap(), signal).unwrap();
    }

    /// `kill -9`, and the end of the process.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// `Some` once it has exited.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Late results that it says it did not write, one by one or several at once.
    pub fn results_refused(&self) -> usize {
        let log = self.log();
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_default());
        let count = lines.map(|line| {
            let text = line.to_string();
            if text.contains("refused a late result") {
                return 1;
            }
            let several =
                ["dropped late results", "results are not written again", "steps are left to others"];
            if !several.iter().any(|words| text.contains(words)) {
                return 0;
            }
            let jobs = line["jobs"].as_u64().or_else(|| line["fields"]["jobs"].as_u64()).unwrap();
            usize::try_from(jobs).unwrap()
        });
        count.sum()
    }

    /// For whoever reads why a test failed; it must not fail once more.
    fn show_end_of_log(&self) {
        let Ok(log) = std::fs::read(&self.log) else { return };
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        eprintln!(
            "{} said at the end:\n{}",
            self.name,
            lines[lines.len().saturating_sub(SHOWN)..].join("\n")
        );
    }

    /// The URL that it says after these words, once it has said them.
    pub async fn url_after(&self, words: &str) -> String {
        until(words, || async { self.log().contains(words) }).await;
        let log = self.log();
        let (_, rest) = log.split_once(words).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// Waits until its evaluator has computed for a while, counted from now.
    pub async fn evaluates(&self) {
        let before = self.evaluator_ticks();
        until("the evaluator computes", || async { self.evaluator_ticks() > before + 5 }).await;
    }

    /// Processor time of the process's children, in clock ticks (10 ms).
    fn evaluator_ticks(&self) -> u64 {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let stats = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
        let ours = stats.filter_map(|stat| {
            // After the name in parentheses: state, parent, …, user time (14th), system time (15th).
            let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
            (fields[1] == self.pid().to_string())
                .then(|| fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap())
        });
        ours.sum()
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            self.show_end_of_log();
        } else {
            let _ = std::fs::remove_file(&self.log);
        }
    }
}

/// Serves the API. Killed when dropped.
pub struct ServerProcess {
    child: Child,
    log: PathBuf,
    /// Its root.
    pub url: String,
}

impl ServerProcess {
    pub async fn start(database_url: &str) -> Self {
        let log = log_of(&new_name("server"));
        let output = File::create(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_trunkline"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env_clear()
            .env("DATABASE_URL", database_url)
            .env("TRUNKLINE_MASTER_KEY", MASTER_KEY)
            .env("TRUNKLINE_LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut server = Self { child, log, url: String::new() };
        let address = || {
            let log = std::fs::read_to_string(&server.log).unwrap();
            let (_, rest) = log.split_once("listening on ")?;
            rest.split_once('"').map(|(address, _)| address.to_owned())
        };
        until("the server listens", || async { address().is_some() }).await;
        let url = address().expect("it listens");
        server.url = url;
        server
    }

    /// `kill -9`, and the end of the process.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let _ = std::fs::remove_file(&self.log);
        }
    }
}

fn new_name(of: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{of}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn log_of(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("trunkline-{name}.log"))
}
