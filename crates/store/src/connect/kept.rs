//! A few connections for what is asked all the time, one round trip each. The pool lends whichever has been unused for
//! longest, and asks it twice whether it is alive when it comes back: under a load of starts that is more than the starts
//! themselves, and without one a start goes through two connections, each of which has to be asked first.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::pool::FRESH;
use super::{PgConnection, PgPool, Sessions};

/// One that nobody needed for so long is let go: something on the way may have forgotten it.
const UNUSED: Duration = Duration::from_mins(1);
/// As long as the pool keeps one, so that what changed at the database is noticed.
const LIFETIME: Duration = Duration::from_mins(30);
/// The pool is left to wait for better times alone, so long after none was to be had.
const REFUSED: Duration = Duration::from_secs(1);

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pool: PgPool,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// The one used last is taken first.
    idle: Vec<(KeptConnection, Instant)>,
    refused_at: Option<Instant>,
    is_closed: bool,
}

#[derive(Debug)]
pub(crate) struct KeptConnection {
    connection: PgConnection,
    connected_at: Instant,
}

impl Deref for KeptConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for KeptConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Kept {
    /// Beside those of `pool`, on the same way.
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool, state: Arc::default() }
    }

    /// `None` where the pool does better: behind a pooler, which has connections ready, and while none can be had, which
    /// the pool has patience with.
    pub(crate) async fn take(&self) -> Option<KeptConnection> {
        if self.pool.sessions().await.ok()? != Sessions::Own {
            return None;
        }
        if let Some((mut connection, used_at)) = self.last_used() {
            if used_at.elapsed() < FRESH || connection.answers().await {
                return Some(connection);
            }
            self.give_up();
        }
        if !self.may_connect() {
            return None;
        }
        let connected = self.pool.connect_beside().await;
        self.state().refused_at = connected.is_err().then(Instant::now);
        Some(KeptConnection { connection: connected.ok()?, connected_at: Instant::now() })
    }

    /// One that did what it was asked for. Whoever fails, or leaves in the middle, lets it go.
    pub(crate) fn give_back(&self, connection: KeptConnection) {
        let mut state = self.state();
        state.idle.retain(|(_, used_at)| used_at.elapsed() < UNUSED);
        if !state.is_closed && connection.connected_at.elapsed() < LIFETIME {
            state.idle.push((connection, Instant::now()));
        }
    }

    /// One of them is dead, and the others may be; or somebody else needs them more.
    pub(crate) fn give_up(&self) {
        self.state().idle.clear();
    }

    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.idle.clear();
    }

    fn last_used(&self) -> Option<(KeptConnection, Instant)> {
        self.state().idle.pop().filter(|(_, used_at)| used_at.elapsed() < UNUSED)
    }

    fn may_connect(&self) -> bool {
        let state = self.state();
        !state.is_closed && state.refused_at.is_none_or(|refused_at| refused_at.elapsed() > REFUSED)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
