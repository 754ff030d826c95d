//! Which instances a batch is about: those that the search finds by the same conditions.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use trunkline_workflow::{AccountId, DefinitionId, InstanceId, InstanceStatus, Version};

use super::{Created, LARGEST, Selection};
use crate::search::{Fingerprint, FoundInstance, InstanceSearch};
use crate::{Store, StoreError};

/// How long instances are looked for: somebody waits for the answer.
const PATIENCE: Duration = Duration::from_secs(25);
/// Instances that are held in memory with what is known of them.
const PAGE: usize = 5_000;
/// Of each kind of groups the largest are shown.
const GROUPS: usize = 100;

/// How many instances a batch would have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DryRun {
    pub total: usize,
    /// Not all were counted: they are too many for a batch, or it took too long.
    pub has_more: bool,
    pub by_version: Vec<VersionCount>,
    pub by_status: Vec<(InstanceStatus, usize)>,
    pub by_step: Vec<StepCount>,
    pub by_error: Vec<ErrorCount>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionCount {
    pub definition: DefinitionId,
    /// Of the definition.
    pub name: String,
    pub version: Version,
    pub count: usize,
}

/// By the step that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepCount {
    pub step: String,
    pub count: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCount {
    pub fingerprint: Fingerprint,
    /// One of them.
    pub message: String,
    pub count: usize,
}

/// What is to be written down.
pub(super) enum Selected {
    /// In order, each once.
    Instances(Vec<InstanceId>),
    Refused(Created),
}

/// How far instances were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    All,
    TooMany,
    TooSlow,
}

impl Store {
    /// Ids that are none of an instance are items all the same.
    pub(super) async fn select(
        &self,
        account: &AccountId,
        selection: &Selection,
    ) -> Result<Selected, StoreError> {
        let search = match selection {
            Selection::Instances(ids) => return Ok(Selected::Instances(in_order(ids.clone()))),
            Selection::Filter(search) => search,
        };
        if !self.has_definition_of(account, search).await? {
            return Ok(Selected::Refused(Created::NoDefinition));
        }
        let mut ids = Vec::new();
        let end = self.find_matching(account, search, |found| ids.push(found.id)).await?;
        Ok(match end {
            End::All if ids.is_empty() => Selected::Refused(Created::Empty),
            End::All => Selected::Instances(in_order(ids)),
            End::TooMany => Selected::Refused(Created::TooLarge),
            End::TooSlow => Selected::Refused(Created::TooSlow),
        })
    }

    /// Counts what a batch would be about, and writes nothing; `None`: there is no such definition.
    pub async fn try_batch(
        &self,
        account: &AccountId,
        selection: &Selection,
    ) -> Result<Option<DryRun>, StoreError> {
        let mut counts = Counts::default();
        let end = match selection {
            Selection::Filter(search) => {
                if !self.has_definition_of(account, search).await? {
                    return Ok(None);
                }
                self.find_matching(account, search, |found| counts.add(found)).await?
            }
            Selection::Instances(ids) => {
                for ids in in_order(ids.clone()).chunks(PAGE) {
                    self.load_instances(account, ids).await?.into_iter().for_each(|found| counts.add(found));
                }
                End::All
            }
        };
        Ok(Some(counts.into_dry_run(end != End::All)))
    }

    async fn has_definition_of(
        &self,
        account: &AccountId,
        search: &InstanceSearch,
    ) -> Result<bool, StoreError> {
        match search.definition {
            Some(definition) => self.definition_exists(account, definition).await,
            None => Ok(true),
        }
    }

    /// Shows everything that is found, at most [`LARGEST`].
    async fn find_matching(
        &self,
        account: &AccountId,
        search: &InstanceSearch,
        mut show: impl FnMut(FoundInstance),
    ) -> Result<End, StoreError> {
        let begun = Instant::now();
        let (mut below, mut count) = (None, 0);
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let page = self.search_instances(account, search, below, PAGE, left).await?;
            for found in page.items {
                if count == LARGEST {
                    return Ok(End::TooMany);
                }
                count += 1;
                show(found);
            }
            let Some(next) = page.next else { return Ok(End::All) };
            if begun.elapsed() >= PATIENCE {
                return Ok(End::TooSlow);
            }
            below = Some(next);
        }
    }
}

fn in_order(mut ids: Vec<InstanceId>) -> Vec<InstanceId> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[derive(Default)]
struct Counts {
    total: usize,
    versions: HashMap<(DefinitionId, Version), (String, usize)>,
    statuses: HashMap<InstanceStatus, ((), usize)>,
    steps: HashMap<String, ((), usize)>,
    errors: HashMap<Fingerprint, (String, usize)>,
}

impl Counts {
    fn add(&mut self, found: FoundInstance) {
        self.total += 1;
        let FoundInstance { definition, version, name, status, failure, .. } = found;
        self.versions.entry((definition, version)).or_insert((name, 0)).1 += 1;
        self.statuses.entry(status).or_default().1 += 1;
        if let Some(failure) = failure {
            self.steps.entry(failure.step).or_default().1 += 1;
            self.errors.entry(failure.fingerprint).or_insert((failure.message, 0)).1 += 1;
        }
    }

    fn into_dry_run(self, has_more: bool) -> DryRun {
        let version =
            |((definition, version), (name, count))| VersionCount { definition, name, version, count };
        let error = |(fingerprint, (message, count))| ErrorCount { fingerprint, message, count };
        DryRun {
            total: self.total,
            has_more,
            by_version: largest(self.versions).map(version).collect(),
            by_status: largest(self.statuses).map(|(status, ((), count))| (status, count)).collect(),
            by_step: largest(self.steps).map(|(step, ((), count))| StepCount { step, count }).collect(),
            by_error: largest(self.errors).map(error).collect(),
        }
    }
}

/// The most frequent first.
fn largest<K: Eq + Hash + Ord, T>(groups: HashMap<K, (T, usize)>) -> impl Iterator<Item = (K, (T, usize))> {
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|a, b| (Reverse(a.1.1), &a.0).cmp(&(Reverse(b.1.1), &b.0)));
    groups.into_iter().take(GROUPS)
}
