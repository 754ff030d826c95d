//! Stands between our processes and PostgreSQL. It understands where messages begin and end, and can cut one
//! connection at a chosen message, or hold everything up as a dead network does.

mod exchange;
mod wire;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

pub use exchange::{Cut, Exchange};
use exchange::{Deed, Progress};
use wire::{take_messages, take_opening};

pub struct Proxy {
    port: u16,
    database: String,
    shared: Arc<Shared>,
}

struct Shared {
    socket: PathBuf,
    armed: Mutex<Option<(Exchange, Cut)>>,
    fate: watch::Sender<Fate>,
    released: watch::Sender<bool>,
    flow: watch::Sender<Flow>,
    /// Of clients that call themselves otherwise everything gets through.
    only: Mutex<Option<&'static str>>,
    /// Connections with a smaller number than this are dead, and nobody is told.
    alive_from: watch::Sender<u64>,
    newest: AtomicU64,
}

/// What became of the cut that was to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The exchange has not begun.
    Ahead,
    UnderWay,
    /// It is cut; what was held back waits to be released.
    Held,
    /// It is cut, and what was to arrive in spite of it has arrived.
    Cut,
    /// The exchange ended before the point: it has fewer messages.
    Passed,
}

/// What gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    pub to_server: bool,
    pub to_client: bool,
}

impl Flow {
    pub const BOTH: Self = Self { to_server: true, to_client: true };
    pub const NEITHER: Self = Self { to_server: false, to_client: false };
    pub const ANSWERS_LOST: Self = Self { to_server: true, to_client: false };
    pub const REQUESTS_LOST: Self = Self { to_server: false, to_client: true };
}

impl Proxy {
    /// Before the database of a URL that leads to a socket's folder.
    pub async fn before(url: &str) -> Self {
        let (_, rest) = url.split_once('@').unwrap();
        let (host, database) = rest.split_once('/').unwrap();
        let folder = percent_encoding::percent_decode_str(host.split(':').next().unwrap());
        let socket = PathBuf::from(folder.decode_utf8().unwrap().into_owned()).join(".s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            socket,
            armed: Mutex::default(),
            fate: watch::Sender::new(Fate::Ahead),
            released: watch::Sender::new(false),
            flow: watch::Sender::new(Flow::BOTH),
            only: Mutex::default(),
            alive_from: watch::Sender::new(0),
            newest: AtomicU64::new(0),
        });
        let proxy = Self { port, database: database.to_owned(), shared: shared.clone() };
        tokio::spawn(async move {
            for number in 1.. {
                let Ok((client, _)) = listener.accept().await else { break };
                let shared = shared.clone();
                shared.newest.store(number, Ordering::Relaxed);
                // Whoever is cut off is gone; the others are not told.
                tokio::spawn(async move { carry(&shared, client, number).await });
            }
        });
        proxy
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{}", self.port, self.database)
    }

    /// The next exchange of the kind is cut.
    pub fn arm(&self, exchange: Exchange, cut: Cut) {
        self.shared.released.send_replace(false);
        self.shared.fate.send_replace(Fate::Ahead);
        *self.shared.armed.lock().unwrap() = Some((exchange, cut));
    }

    pub fn fate(&self) -> Fate {
        *self.shared.fate.borrow()
    }

    /// What is held back arrives.
    pub fn release(&self) {
        self.shared.released.send_replace(true);
    }

    /// What does not get through is not lost: as with TCP, it comes when the way is free again.
    pub fn let_through(&self, flow: Flow) {
        self.shared.flow.send_replace(flow);
    }

    /// The same for one kind of connections alone, by what the client calls itself.
    pub fn let_through_of(&self, name: &'static str, flow: Flow) {
        *self.shared.only.lock().unwrap() = Some(name);
        self.let_through(flow);
    }

    /// Every connection that there is dies without a word, as when the database moves to another machine; new ones
    /// find it.
    pub fn bury_connections(&self) {
        self.shared.alive_from.send_replace(self.shared.newest.load(Ordering::Relaxed) + 1);
    }

    /// The connection of that number, from 1, and those before it get no answer at all.
    pub fn bury_as_opened(&self, number: u64) {
        self.shared.alive_from.send_replace(number + 1);
    }
}

async fn carry(shared: &Shared, mut client: TcpStream, number: u64) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut server = UnixStream::connect(&shared.socket).await?;
    let (mut said, mut answered) = (Vec::new(), Vec::new());
    let (mut flow, mut alive_from) = (shared.flow.subscribe(), shared.alive_from.subscribe());
    let opening = loop {
        if let Some(opening) = take_opening(&mut said) {
            break opening;
        }
        if client.read_buf(&mut said).await? == 0 {
            return Ok(());
        }
    };
    let mut progress = Progress::of(&opening);
    flow.wait_for(|flow| shared.of(&progress, *flow).to_server).await.map_err(io::Error::other)?;
    server.write_all(&opening).await?;
    loop {
        for message in take_messages(&mut said) {
            let Some(deed) = progress.hear(message, |progress, statement| shared.take(progress, statement))
            else {
                continue;
            };
            match deed {
                Deed::Forward(group) => server.write_all(&group).await?,
                Deed::Lose(group) => {
                    server.write_all(&group).await?;
                    drop((client, server));
                    shared.fate.send_replace(Fate::Cut);
                    return Ok(());
                }
                Deed::Hold(group, held) => {
                    server.write_all(&group).await?;
                    drop(client);
                    shared.until_released().await;
                    server.write_all(&held).await?;
                    return shared.end(server, answered).await;
                }
                Deed::Leave => {
                    shared.flow.send_replace(Flow::NEITHER);
                    drop(client);
                    shared.until_released().await;
                    drop(server);
                    shared.fate.send_replace(Fate::Cut);
                    return Ok(());
                }
            }
        }
        let mut arriving = Vec::new();
        let messages = take_messages(&mut answered);
        for (at, message) in messages.iter().enumerate() {
            let (arrives, passed) = progress.answer(message);
            if !arrives {
                // What is asked for is done to its end, whoever is gone.
                let is_over = messages[at..].iter().any(|message| message.ready().is_some());
                client.write_all(&arriving).await?;
                drop(client);
                if is_over {
                    drop(server);
                    shared.fate.send_replace(Fate::Cut);
                    return Ok(());
                }
                return shared.end(server, answered).await;
            }
            if passed {
                shared.fate.send_replace(Fate::Passed);
            }
            arriving.extend(&message.0);
        }
        client.write_all(&arriving).await?;
        let open = shared.of(&progress, *flow.borrow_and_update());
        if number < *alive_from.borrow_and_update() {
            std::future::pending::<()>().await;
        }
        let ended = tokio::select! {
            changed = flow.changed() => changed.is_err(),
            changed = alive_from.changed() => changed.is_err(),
            read = client.read_buf(&mut said), if open.to_server => read? == 0,
            read = server.read_buf(&mut answered), if open.to_client => read? == 0,
        };
        if ended {
            if progress.is_cut() {
                shared.fate.send_replace(Fate::Cut);
            }
            return Ok(());
        }
    }
}

impl Shared {
    /// The cut, if this is the exchange that it is for.
    fn take(&self, progress: &Progress, statement: &str) -> Option<Cut> {
        let mut armed = self.armed.lock().unwrap();
        let is_it = match armed.as_ref()?.0 {
            Exchange::Statement(words) => statement.contains(words),
            Exchange::Transaction(name) => statement.starts_with("begin") && progress.name == name,
        };
        let (_, cut) = armed.take_if(|_| is_it)?;
        self.fate.send_replace(Fate::UnderWay);
        Some(cut)
    }

    fn of(&self, progress: &Progress, flow: Flow) -> Flow {
        let only = *self.only.lock().unwrap();
        if only.is_none_or(|name| progress.name == name) { flow } else { Flow::BOTH }
    }

    async fn until_released(&self) {
        self.fate.send_replace(Fate::Held);
        let mut released = self.released.subscribe();
        released.wait_for(|released| *released).await.expect("the proxy lives");
    }

    /// Lets the server come to the end of what it was asked.
    async fn end(&self, mut server: UnixStream, mut answered: Vec<u8>) -> io::Result<()> {
        loop {
            let is_over = take_messages(&mut answered).iter().any(|message| message.ready().is_some());
            if is_over || !server.read_buf(&mut answered).await.is_ok_and(|read| read > 0) {
                break;
            }
        }
        drop(server);
        self.fate.send_replace(Fate::Cut);
        Ok(())
    }
}
