//! A page of what is asked for.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use trunkline_workflow::{AccountId, DefinitionId, Graph, InstanceId, InstanceStatus, Version};

use super::candidates::{Candidates, Range, Wanted, Way};
use super::filter::{Failure, FoundInstance, InstanceSearch, SearchPage};
use super::fingerprint::Fingerprint;
use super::read_buckets::read_buckets;
use super::terms::{self, Values, short};
use super::{follow_instances, former, statements};
use crate::waits::read_id;
use crate::{Store, StoreError};

/// Of an account with more versions its instances are walked down.
const MOST_VERSIONS: usize = 64;
/// Candidates that are looked at together; more for a longer page.
const LOOKED_AT: usize = 250;
const MOST_LOOKED_AT: usize = 2_500;
/// Bytes of their contexts, and one context more: many may search at once.
const LOOKED_AT_BYTES: i64 = 1 << 20;
/// What an id's second may be apart from the database's time of the start.
const SKEW: i64 = 600;
/// Terms with more instances count as equally many, and so do those with more rows of shared ones.
const MANY: i64 = 1_000;
const MANY_SHARED: i64 = 100;

/// As [`statements::LOAD`] has them.
type Row = (
    Vec<u8>,
    DefinitionId,
    String,
    Version,
    String,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<String>,
    bool,
);

impl Store {
    /// Up to `limit` instances with ids below `below`. When `patience` is over, what has been found by then.
    pub async fn search_instances(
        &self,
        account: &AccountId,
        search: &InstanceSearch,
        below: Option<InstanceId>,
        limit: usize,
        patience: Duration,
    ) -> Result<SearchPage, StoreError> {
        let begun = Instant::now();
        let mut page = SearchPage { items: Vec::new(), next: None };
        let Some(way) = self.choose_way(account, search).await? else { return Ok(page) };
        let (status, definition) = (search.status, search.definition);
        let candidates = Candidates { pool: &self.pool, account, status, definition, page: limit };
        let mut graphs = HashMap::new();
        let mut range = range(search, below);
        while range.below > range.from {
            let piece = candidates.next(&way, range).await?;
            let mut ids = &piece.ids[..];
            while !ids.is_empty() {
                let together = ids.len().min(limit.clamp(LOOKED_AT, MOST_LOOKED_AT));
                let (some, looked_at) = self.look_at(account, search, &ids[..together], &mut graphs).await?;
                for found in some {
                    if page.items.len() == limit {
                        page.next = page.items.last().map(|last| last.id);
                        return Ok(page);
                    }
                    page.items.push(found);
                }
                let (passed, left) = ids.split_at(looked_at);
                if !left.is_empty() && begun.elapsed() >= patience {
                    page.next = passed.last().copied();
                    return Ok(page);
                }
                ids = left;
            }
            let Some(reached) = piece.reached else { return Ok(page) };
            range.below = reached;
            if begun.elapsed() >= patience {
                page.next = Some(reached);
                return Ok(page);
            }
        }
        Ok(page)
    }

    /// Those of the ids that are instances of the account.
    pub(crate) async fn load_instances(
        &self,
        account: &AccountId,
        ids: &[InstanceId],
    ) -> Result<Vec<FoundInstance>, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(MOST_LOOKED_AT) {
            let every = InstanceSearch::default();
            found.extend(self.look_at(account, &every, ids, &mut HashMap::new()).await?.0);
        }
        Ok(found)
    }

    /// `None`: nothing can be found.
    async fn choose_way(
        &self,
        account: &AccountId,
        search: &InstanceSearch,
    ) -> Result<Option<Way>, StoreError> {
        if let Some(id) = search.id {
            return Ok(Some(Way::One(id)));
        }
        if search.error.is_some() || search.fingerprint.is_some() {
            let (fingerprint, text) = (search.fingerprint, search.error.clone());
            return Ok(Some(Way::Failures { fingerprint, text }));
        }
        if search.looks_inside() {
            let term = self.rarest(account, search).await?;
            let followed = follow_instances::mark(&self.pool).await?;
            return Ok(Some(Way::Terms { terms: vec![term], followed }));
        }
        if let Some(step) = &search.step {
            return Ok(Some(Way::Step(step.clone())));
        }
        match search.status {
            Some(InstanceStatus::Runnable | InstanceStatus::Suspended) => return Ok(Some(Way::Unfinished)),
            Some(InstanceStatus::Terminated) => return Ok(Some(Way::Terminated)),
            Some(InstanceStatus::Complete) | None => {}
        }
        let versions = self.versions(account, search).await?;
        if versions.is_empty() {
            return Ok(None);
        }
        if versions.len() > MOST_VERSIONS {
            return Ok(Some(Way::Walk));
        }
        let followed = follow_instances::mark(&self.pool).await?;
        Ok(Some(Way::Terms { terms: versions, followed }))
    }

    /// The terms of the versions that are asked for: all, or one too many.
    async fn versions(
        &self,
        account: &AccountId,
        search: &InstanceSearch,
    ) -> Result<Vec<Wanted>, StoreError> {
        let versions: Vec<(DefinitionId, Version)> = sqlx::query_as(
            "select definition_id, version
             from definition_versions
             where account_id = $1 and deleted_at is null
                 and ($2::uuid is null or definition_id = $2)
                 and ($3::int is null or version = $3)
                 and ($4::text is null or subaccount_id = $4)
             limit $5",
        )
        .bind(account.as_str())
        .bind(search.definition)
        .bind(search.version)
        .bind(&search.subaccount)
        .bind(i64::try_from(MOST_VERSIONS + 1).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        let wanted = |(definition, version)| Wanted {
            term: terms::of_version(account.as_str(), definition, version),
            former: former::of_version(definition, version),
        };
        Ok(versions.into_iter().map(wanted).collect())
    }

    async fn rarest(&self, account: &AccountId, search: &InstanceSearch) -> Result<Wanted, StoreError> {
        let account = account.as_str();
        let values = search.context.iter().map(|(path, value)| Wanted {
            term: terms::of_value(account, path, value),
            former: former::of_value(path, value),
        });
        let phones = search
            .phone
            .iter()
            .map(|phone| Wanted { term: terms::of_phone(account, phone), former: former::of_phone(phone) });
        let wanted: Vec<Wanted> = phones.chain(values).collect();
        let mut rarest = (i64::MAX, wanted[0]);
        // Of a single one nothing is to be counted.
        for wanted in wanted.iter().filter(|_| wanted.len() > 1) {
            let count: i64 = sqlx::query_scalar(statements::COUNT_TERM)
                .bind(short(wanted.term))
                .bind(wanted.term)
                .bind(account)
                .bind(wanted.former)
                .bind(MANY)
                .bind(MANY_SHARED)
                .fetch_one(&self.pool)
                .await?;
            // Of the newest: equally many rows of each, whatever they hold.
            let packed = read_buckets(&self.pool, &[wanted.term], range(search, None)).await?.ids.len();
            let count = count.saturating_add(i64::try_from(packed).unwrap_or(MANY));
            if count < rarest.0 {
                rarest = (count, *wanted);
            }
        }
        Ok(rarest.1)
    }

    /// Which of the candidates are what is asked for, the newest first; how many of them it looked at, which are all
    /// unless their contexts are too much.
    async fn look_at(
        &self,
        account: &AccountId,
        search: &InstanceSearch,
        ids: &[InstanceId],
        graphs: &mut HashMap<(DefinitionId, Version), Option<Graph>>,
    ) -> Result<(Vec<FoundInstance>, usize), StoreError> {
        let bound = |id: Option<&InstanceId>| id.map(|id| id.as_bytes().to_vec());
        let rows: Vec<Row> = sqlx::query_as(statements::LOAD)
            .bind(ids.iter().map(|id| &id.as_bytes()[..]).collect::<Vec<_>>())
            .bind(bound(ids.iter().min()))
            .bind(bound(ids.iter().max()))
            .bind(account.as_str())
            .bind(search.status.map(InstanceStatus::as_str))
            .bind(search.definition)
            .bind(search.version)
            .bind(&search.subaccount)
            .bind(search.started_from)
            .bind(search.started_before)
            .bind(search.fingerprint.map(|fingerprint| fingerprint.0))
            .bind(search.looks_inside())
            .bind(LOOKED_AT_BYTES)
            .fetch_all(&self.pool)
            .await?;
        let looked_at = match rows.last() {
            Some((last, .., true)) => {
                let last = read_id(last)?;
                ids.iter().position(|id| *id == last).map_or(ids.len(), |at| at + 1)
            }
            _ => ids.len(),
        };
        let mut found = Vec::with_capacity(rows.len());
        for (
            id,
            definition,
            name,
            version,
            status,
            started_at,
            completed_at,
            step,
            message,
            fingerprint,
            data,
            _,
        ) in rows
        {
            if let Some(data) = data
                && !is_inside(search, &data).await
            {
                continue;
            }
            let failure = match (step, message, fingerprint) {
                (Some(step), Some(message), Some(fingerprint)) => {
                    Some(Failure { step, message, fingerprint: Fingerprint(fingerprint) })
                }
                _ => None,
            };
            if let Some(text) = &search.error {
                let text = text.to_lowercase();
                if failure.as_ref().is_none_or(|failure| !failure.message.to_lowercase().contains(&text)) {
                    continue;
                }
            }
            found.push(FoundInstance {
                id: read_id(&id)?,
                definition,
                name,
                version,
                status: InstanceStatus::parse(&status).ok_or(StoreError::Damaged(status))?,
                started_at,
                completed_at,
                failure,
            });
        }
        if let Some(step) = &search.step {
            self.keep_those_at(account, step, &mut found, graphs).await?;
        }
        Ok((found, looked_at))
    }

    /// Those that failed at the step, and the unfinished ones that are at it.
    async fn keep_those_at(
        &self,
        account: &AccountId,
        step: &str,
        found: &mut Vec<FoundInstance>,
        graphs: &mut HashMap<(DefinitionId, Version), Option<Graph>>,
    ) -> Result<(), StoreError> {
        let unfinished: Vec<&FoundInstance> =
            found.iter().filter(|instance| instance.completed_at.is_none()).collect();
        let ids: Vec<&[u8]> = unfinished.iter().map(|instance| &instance.id.as_bytes()[..]).collect();
        let rows: Vec<(Vec<u8>, i32)> = sqlx::query_as(
            "select instance_id, step from jobs where instance_id = any($1)
             union all
             select instance_id, step from waits where instance_id = any($1)",
        )
        .bind(&ids)
        .fetch_all(&self.pool)
        .await?;
        let mut at: HashMap<InstanceId, Vec<usize>> = HashMap::new();
        for (id, position) in rows {
            at.entry(read_id(&id)?).or_default().push(usize::try_from(position).unwrap_or(usize::MAX));
        }
        for instance in unfinished {
            let version = (instance.definition, instance.version);
            if let std::collections::hash_map::Entry::Vacant(vacant) = graphs.entry(version) {
                vacant.insert(self.graph_of(account, version).await?);
            }
        }
        found.retain(|instance| {
            if let Some(failure) = &instance.failure {
                return failure.step == step;
            }
            let Some(Some(graph)) = graphs.get(&(instance.definition, instance.version)) else {
                return false;
            };
            let positions = at.get(&instance.id).into_iter().flatten();
            positions.into_iter().any(|position| graph.steps.get(*position).is_some_and(|at| at.id == step))
        });
        Ok(())
    }

    /// `None` where the steps cannot be read.
    async fn graph_of(
        &self,
        account: &AccountId,
        (definition, version): (DefinitionId, Version),
    ) -> Result<Option<Graph>, StoreError> {
        match self.load_version(account, definition, version).await {
            Ok(steps) => Ok(steps.and_then(|steps| Some(Graph::new(&serde_json::from_str(&steps).ok()?)))),
            Err(error) if error.is_unavailable() || error.is_conflict() => Err(error),
            Err(_) => Ok(None),
        }
    }
}

async fn is_inside(search: &InstanceSearch, data: &str) -> bool {
    let values = Values::of_next(data).await;
    search.phone.as_ref().is_none_or(|phone| values.have_phone(phone))
        && search.context.iter().all(|(path, value)| values.have(path, value))
}

/// The ids that the times leave.
fn range(search: &InstanceSearch, below: Option<InstanceId>) -> Range {
    let at = |time: Option<DateTime<Utc>>, skew: i64| {
        let seconds = time?.timestamp().saturating_add(skew).clamp(0, i64::from(u32::MAX));
        Some(InstanceId::from_parts(u32::try_from(seconds).unwrap_or(u32::MAX), [0; 5], 0))
    };
    let last = InstanceId::from_parts(u32::MAX, [u8::MAX; 5], u32::MAX);
    let before = at(search.started_before, SKEW);
    Range {
        below: below.into_iter().chain(before).min().unwrap_or(last),
        from: at(search.started_from, -SKEW).unwrap_or(InstanceId::from_parts(0, [0; 5], 0)),
    }
}
