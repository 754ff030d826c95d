//! Runs `trunkline` in a folder of its own, and talks to it.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use trunkline_connectors::outbound::{AddressPolicy, OutboundClient, OutboundRequest, Traces};
use trunkline_store::cluster;

/// For anything that a slow machine may take its time for.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A path of its own for each test; whatever cluster is there goes with it.
pub struct TestDir(PathBuf);

impl TestDir {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("trunkline-cli-{}-{count}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where `dev` keeps its data unless told otherwise.
    pub fn data_dir(&self) -> PathBuf {
        self.0.join(".trunkline")
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _gone = cluster::remove(&self.data_dir());
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// The program, in this folder, with nothing of our environment but the path.
pub fn trunkline(dir: &TestDir, args: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    command.args(args).current_dir(dir.path()).env_clear().envs(environment.iter().copied());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
    command
}

/// A run that came to its end.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// It failed, and one of its lines has these words.
    #[track_caller]
    pub fn failed(self, code: i32, words: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.stderr.contains(words), "no `{words}` in {self:?}");
    }
}

pub fn run(dir: &TestDir, args: &[&str], environment: &[(&str, &str)]) -> Ended {
    run_with_input(dir, args, environment, "")
}

/// A run that is told something on its standard input.
pub fn run_with_input(dir: &TestDir, args: &[&str], environment: &[(&str, &str)], input: &str) -> Ended {
    run_command(trunkline(dir, args, environment), input)
}

/// Any program, to its end.
pub fn run_command(mut command: Command, input: &str) -> Ended {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let pid = Pid::from_child(&child);
    let (ended, has_ended) = channel::<()>();
    let watch = thread::spawn(move || {
        if has_ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            let _killed = kill_process(pid, Signal::KILL);
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    watch.join().unwrap();
    Ended::of(output)
}

/// A run that goes on until it is told to stop. What it says is in two files.
pub struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    pub fn start(dir: &TestDir, args: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_command(dir, trunkline(dir, args, environment))
    }

    /// Any program.
    pub fn start_command(dir: &TestDir, mut command: Command) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let [stdout, stderr] = ["out", "err"].map(|name| dir.path().join(format!("{count}.{name}")));
        let child = command
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        Self { child, stdout, stderr }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn stdout(&self) -> String {
        std::fs::read_to_string(&self.stdout).unwrap()
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap()
    }

    /// Waits until it has said this, on either channel.
    pub async fn says(&mut self, words: &str) {
        let begun = Instant::now();
        while !self.stdout().contains(words) && !self.stderr().contains(words) {
            assert_eq!(self.child.try_wait().unwrap(), None, "it ended without `{words}`: {self}");
            assert!(begun.elapsed() < LIMIT, "not within {LIMIT:?}: `{words}` in {self}");
            look_again().await;
        }
    }

    /// The rest of the line after these words.
    pub fn after(&self, words: &str) -> String {
        let text = self.stdout() + &self.stderr();
        let (_, rest) = text.split_once(words).unwrap_or_else(|| panic!("no `{words}` in {text}"));
        rest.lines().next().unwrap_or_default().trim().to_owned()
    }

    /// SIGTERM, and the exit code that follows.
    pub async fn stop(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert_eq!(status.signal(), None, "{self}");
                return status.code();
            }
            assert!(begun.elapsed() < LIMIT, "it does not stop: {self}");
            look_again().await;
        }
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}\n{}", self.stdout(), self.stderr())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without a word to PostgreSQL: its watchdog ends it.
        let _killed = self.child.kill();
        let _status = self.child.wait();
    }
}

/// A client with a key, or without one.
pub struct Client {
    http: OutboundClient,
    url: String,
    authorization: Option<String>,
}

impl Client {
    pub fn new(url: &str, key: Option<&str>) -> Self {
        Self::with_authorization(url, key.map(|key| format!("Bearer {key}")))
    }

    /// Who calls the Workflows API.
    pub fn of_workflows(url: &str, key: &str, secret: &str) -> Self {
        let pair = STANDARD.encode(format!("{key}:{secret}"));
        Self::with_authorization(url, Some(format!("Basic {pair}")))
    }

    /// Who calls the webhooks of an account.
    pub fn of_platform(url: &str, authorization: &str) -> Self {
        Self::with_authorization(url, Some(authorization.to_owned()))
    }

    fn with_authorization(url: &str, authorization: Option<String>) -> Self {
        let http = OutboundClient::new(AddressPolicy { allow_private: true, allowed: Vec::new() });
        Self { http, url: url.to_owned(), authorization }
    }

    /// As part of the trace that it is called in.
    pub async fn call_traced(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let http = self.http.traced(Traces::HandedOn);
        let traced = Self { http, url: self.url.clone(), authorization: self.authorization.clone() };
        traced.call(method, path, body).await
    }

    /// Status and body, `null` when that is no JSON.
    pub async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        headers.extend(self.authorization.iter().map(|value| ("Authorization".to_owned(), value.clone())));
        let request = OutboundRequest {
            method: method.to_owned(),
            url: format!("{}{path}", self.url),
            headers,
            body: body.map(|body| body.to_string().into_bytes()),
            timeout: LIMIT,
            follow_redirects: false,
        };
        let response = self.http.send(request).await.unwrap();
        (response.status, serde_json::from_slice(&response.body).unwrap_or_default())
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        let path = path.to_owned();
        async move {
            let (status, body) = self.call("GET", &path, None).await;
            assert_eq!(status, 200, "{path}: {body}, asked at {place}");
            body
        }
    }

    /// Asks until the answer pleases.
    pub async fn get_until(&self, path: &str, what: &str, pleases: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let body = self.get(path).await;
            if pleases(&body) {
                return body;
            }
            assert!(begun.elapsed() < LIMIT, "not within {LIMIT:?}: {what}; last {body}");
            look_again().await;
        }
    }
}

/// Between two looks: no answer comes faster from looking more often.
pub async fn look_again() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}
