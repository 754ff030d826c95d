//! Whose turn it is: what the next claim asks for, so that no account's flood, and no account's slow endpoint, holds
//! the others back.
//!
//! ```text
//!              a full batch: more is ready than we take,
//!              or an account has nearly all that it may hold
//!   whatever ───────────────────────────────────────────────► in turns: look who has ready jobs,
//!   has been ◄─────────────────────────────────────────────── share the free slots among them
//!   ready for longest        a look finds nobody
//! ```
//!
//! In quiet hours everything that is ready is taken at once, and turns would change nothing. When accounts take turns,
//! free slots go to whoever holds least; looking who is there is repeated every few milliseconds, which is how long a
//! newcomer waits, and never takes more than a tenth of the time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use trunkline_store::jobs::{Begin, LeasedJob, LowWaterMark, Passed, Share, Waiting};
use trunkline_store::pools::{Accounts, Steps};
use trunkline_workflow::AccountId;

/// Jobs claimed in one statement at most: a larger batch costs little less per job.
pub(crate) const BATCH: usize = 128;
/// Accounts that one look finds at most; the next one goes on behind them.
pub(crate) const LOOK: usize = 256;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// Of the time between two looks, the looks themselves take one part in so many at most.
const LOOKS_TAKE: u32 = 10;
/// While no account may take at least so many slots more, accounts take turns.
const HEADROOM: usize = 32;
/// Accounts that wait for their turn in memory. Beyond it those who had theirs are found again by a later look.
const QUEUE: usize = 4_096;
/// Of those, so many are thought about for one claim.
const CANDIDATES: usize = 512;
/// Accounts whose marks are kept.
const KNOWN: usize = 1_024;
/// An account of which this many jobs were claimed has index entries to be jumped over, and this many are jumped over
/// in one look.
const MANY: u64 = 128;
const JUMPS: usize = 64;

/// How many slots an account may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub(crate) slots: usize,
    /// `None`: three quarters, or all while nobody shares them.
    pub(crate) per_account: Option<usize>,
}

impl Most {
    fn of_one(self, is_alone: bool) -> usize {
        match self.per_account {
            Some(most) => most.min(self.slots),
            None if is_alone => self.slots,
            None => (self.slots - self.slots.div_ceil(4)).max(1),
        }
    }
}

/// What to ask the database next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// So many jobs of anybody.
    Any(usize),
    /// So many of each of these.
    Shares(Vec<(AccountId, usize)>),
    /// Who has ready jobs.
    Look,
    /// Nothing for now.
    Nothing,
}

impl Next {
    pub(crate) fn jobs(&self) -> usize {
        match self {
            Self::Any(limit) => *limit,
            Self::Shares(shares) => shares.iter().map(|(_, share)| share).sum(),
            Self::Look | Self::Nothing => 0,
        }
    }
}

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and any of them may hold with any other"
)]
pub(crate) struct Turns {
    most: Most,
    accounts: Accounts,
    /// Nobody shares the installation, or the pool is one account's.
    is_alone: bool,
    /// Claims name accounts: of a pool always.
    is_by_name: bool,
    is_pool: bool,
    of_anybody: LowWaterMark,
    known: HashMap<AccountId, Known>,
    /// Counts uses of `known`, so that the longest unused leave.
    clock: u64,
    queue: VecDeque<AccountId>,
    queued: HashSet<AccountId>,
    /// Where the next look goes on.
    after: Option<AccountId>,
    /// Whom the look that is under way jumps over, and where it begins with them.
    peeked: Vec<(AccountId, Begin)>,
    looked_at: Option<Instant>,
    look_took: Duration,
    /// A look may find something that the last ones did not.
    may_look: bool,
    /// Jobs claimed since the looks came to the end of all accounts.
    claimed_in_round: usize,
}

#[derive(Debug, Default)]
struct Known {
    mark: LowWaterMark,
    claimed: u64,
    used: u64,
}

impl Turns {
    pub(crate) fn new(most: Most, accounts: Accounts, steps: &Steps) -> Self {
        let is_dedicated = matches!(&accounts, Accounts::Only(accounts) if accounts.len() == 1);
        let is_pool = accounts != Accounts::All || *steps != Steps::All;
        Self {
            most,
            is_alone: is_dedicated,
            is_by_name: is_pool,
            is_pool,
            accounts,
            of_anybody: LowWaterMark::default(),
            known: HashMap::new(),
            clock: 0,
            queue: VecDeque::new(),
            queued: HashSet::new(),
            after: None,
            peeked: Vec::new(),
            looked_at: None,
            look_took: Duration::ZERO,
            may_look: true,
            claimed_in_round: 0,
        }
    }

    /// Whether it is worth asking if others share the installation.
    pub(crate) fn wonders_who_is_there(&self) -> bool {
        self.most.per_account.is_none() && self.accounts == Accounts::All
    }

    pub(crate) fn be_told(&mut self, is_alone: bool) {
        self.is_alone = is_alone;
    }

    pub(crate) fn is_anybody_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Jobs that make a claim worth its while.
    pub(crate) fn batch(&self) -> usize {
        BATCH.min(self.most.of_one(self.is_alone))
    }

    /// What to ask for, with so many slots free and these held by accounts.
    pub(crate) fn next(&mut self, free: usize, held: &HashMap<AccountId, usize>) -> Next {
        let most = self.most.of_one(self.is_alone);
        let free = free.min(BATCH);
        if !self.is_by_name {
            let headroom = most.saturating_sub(held.values().copied().max().unwrap_or(0));
            if headroom >= free.min(HEADROOM).min(most) {
                return Next::Any(free.min(headroom));
            }
            self.is_by_name = true;
        }
        let is_due = || {
            let pause = BETWEEN_LOOKS.max(self.look_took * LOOKS_TAKE);
            self.looked_at.is_none_or(|at| at.elapsed() > pause)
        };
        if (1..QUEUE).contains(&self.queue.len()) && is_due() {
            return Next::Look;
        }
        let shares = self.share(free, most, held);
        if !shares.is_empty() {
            return Next::Shares(shares);
        }
        if self.may_look { Next::Look } else { Next::Nothing }
    }

    /// Slot by slot to whoever holds least and had no turn for longest.
    fn share(&self, free: usize, most: usize, held: &HashMap<AccountId, usize>) -> Vec<(AccountId, usize)> {
        let holds = |account: &AccountId| held.get(account).copied().unwrap_or(0);
        let mut shares: Vec<(&AccountId, usize, usize)> = self
            .queue
            .iter()
            .map(|account| (account, holds(account), 0))
            .filter(|(_, holds, _)| *holds < most)
            .take(CANDIDATES)
            .collect();
        for _ in 0..free {
            let least = shares.iter_mut().filter(|(_, holds, _)| *holds < most).min_by_key(|share| share.1);
            let Some((_, holds, share)) = least else { break };
            *holds += 1;
            *share += 1;
        }
        let given = shares.into_iter().filter(|(.., share)| *share > 0);
        given.map(|(account, _, share)| (account.clone(), share)).collect()
    }

    pub(crate) fn mark_of_anybody(&mut self) -> &mut LowWaterMark {
        &mut self.of_anybody
    }

    /// The shares with the marks of their accounts. An account is named once.
    pub(crate) fn with_marks<'a>(&'a mut self, shares: &'a [(AccountId, usize)]) -> Vec<Share<'a>> {
        for (account, _) in shares {
            self.know(account);
        }
        let limits: HashMap<&AccountId, usize> =
            shares.iter().map(|(account, limit)| (account, *limit)).collect();
        self.known
            .iter_mut()
            .filter_map(|(account, known)| {
                Some(Share { limit: *limits.get(account)?, account, mark: &mut known.mark })
            })
            .collect()
    }

    /// What came of [`Next::Any`].
    pub(crate) fn learn(&mut self, limit: usize, claimed: &[LeasedJob]) {
        self.may_look = true;
        for job in claimed {
            self.know(&job.account).claimed += 1;
        }
        if claimed.len() >= limit {
            self.is_by_name = true;
            self.claimed_in_round = claimed.len();
        }
    }

    /// What came of [`Next::Shares`]. Who got less than its share has no more; the others go to the end.
    pub(crate) fn learn_shares(&mut self, shares: &[(AccountId, usize)], claimed: &[LeasedJob]) {
        let mut counts: HashMap<&AccountId, usize> = HashMap::new();
        for job in claimed {
            *counts.entry(&job.account).or_default() += 1;
        }
        // Those who had theirs make room in a queue that is full, or a look would never find anybody else.
        let is_full = self.queue.len() >= QUEUE;
        let served: HashSet<&AccountId> = shares.iter().map(|(account, _)| account).collect();
        self.queue.retain(|account| !served.contains(account));
        for (account, limit) in shares {
            let count = counts.get(account).copied().unwrap_or(0);
            self.know(account).claimed += u64::try_from(count).unwrap_or(0);
            if count >= *limit && !is_full {
                self.queue.push_back(account.clone());
            } else {
                self.queued.remove(account);
            }
        }
        self.claimed_in_round += claimed.len();
        self.may_look |= !claimed.is_empty();
    }

    /// Whom [`Next::Look`] asks for, and behind whom. An account that is passed by has the place where its jobs are
    /// looked at.
    pub(crate) fn look(&mut self) -> (&Accounts, Option<&AccountId>, Vec<Passed<'_>>) {
        // The last look never came back: the next one does not read all of it again.
        for (account, begin) in std::mem::take(&mut self.peeked) {
            self.found_nothing(&account, begin, None);
        }
        let jumped = match &self.accounts {
            Accounts::Only(accounts) => accounts.clone(),
            Accounts::All => self.have_many(&[]),
            Accounts::Except(accounts) => self.have_many(accounts),
        };
        self.peeked = jumped
            .into_iter()
            .map(|account| {
                let begin = self.know(&account).mark.peek();
                (account, begin)
            })
            .collect();
        let except = if let Accounts::Except(accounts) = &self.accounts { &accounts[..] } else { &[] };
        let jumped = self.peeked.iter().map(|(account, begin)| Passed { account, begin: Some(begin.time()) });
        let passed = jumped.chain(except.iter().map(|account| Passed { account, begin: None })).collect();
        (&self.accounts, self.after.as_ref(), passed)
    }

    /// Those who left most entries behind.
    fn have_many(&self, except: &[AccountId]) -> Vec<AccountId> {
        let mut many: Vec<_> = self
            .known
            .iter()
            .filter(|(account, known)| known.claimed >= MANY && !except.contains(account))
            .collect();
        many.sort_unstable_by_key(|(_, known)| std::cmp::Reverse(known.claimed));
        many.into_iter().take(JUMPS).map(|(account, _)| account.clone()).collect()
    }

    fn found_nothing(&mut self, account: &AccountId, begin: Begin, now: Option<DateTime<Utc>>) {
        if let Some(known) = self.known.get_mut(account) {
            known.mark.found_nothing(begin, now);
        }
    }

    /// What came of [`Next::Look`].
    pub(crate) fn looked(&mut self, found: Waiting, took: Duration) {
        let began_at_the_beginning = self.after.is_none();
        let came_to_the_end = found.next_after.is_none();
        (self.looked_at, self.look_took, self.after) = (Some(Instant::now()), took, found.next_after);
        for (account, begin) in std::mem::take(&mut self.peeked) {
            if began_at_the_beginning && came_to_the_end && !found.accounts.contains(&account) {
                self.found_nothing(&account, begin, found.now);
            }
        }
        let found_nobody = found.accounts.is_empty();
        for account in found.accounts {
            if !self.queued.contains(&account) {
                self.queued.insert(account.clone());
                self.queue.push_back(account);
            }
        }
        if came_to_the_end {
            // Otherwise what is found again and again and yet cannot be claimed would keep us busy.
            self.may_look = self.claimed_in_round > 0 && !(began_at_the_beginning && found_nobody);
            self.claimed_in_round = 0;
        }
        if began_at_the_beginning && came_to_the_end && found_nobody && self.queue.is_empty() {
            self.is_by_name = self.is_pool;
            if let Some(now) = found.now {
                self.of_anybody.nothing_at(now);
            }
        }
    }

    /// Time passed, or somebody hinted at something.
    pub(crate) fn waited(&mut self) {
        self.may_look = true;
    }

    fn know(&mut self, account: &AccountId) -> &mut Known {
        self.clock += 1;
        if !self.known.contains_key(account) {
            if self.known.len() >= 2 * KNOWN {
                let mut uses: Vec<u64> = self.known.values().map(|known| known.used).collect();
                uses.sort_unstable();
                let oldest = uses[KNOWN];
                self.known.retain(|_, known| known.used >= oldest);
            }
            self.known.insert(account.clone(), Known::default());
        }
        let known = self.known.get_mut(account).expect("it was just put there");
        known.used = self.clock;
        known
    }
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
