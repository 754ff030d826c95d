//! Instances that may be what is asked for, newest first, in pieces.

use trunkline_workflow::{AccountId, DefinitionId, InstanceId, InstanceStatus};

use super::fingerprint::Fingerprint;
use super::packed::{Halves, unpack};
use super::read_buckets::read_buckets;
use super::terms::{Term, short};
use super::{former, statements};
use crate::waits::read_id;
use crate::{PgPool, StoreError};

/// Rows that one piece looks at.
const WALKED: i64 = 5_000;
const PARKED: i64 = 2_000;
/// At least: as many as a page has.
const NAMED: i64 = 500;
/// Rows of terms that many have, where a small page is wanted: three instances at least are in each, some hundreds
/// at most.
const SHARED: usize = 16;
const LEAST_IN_GROUP: usize = 3;
const LEAST_SHARED: usize = 4;

/// Whose it is, of which definition, and what it says.
type FailureRow = (Vec<u8>, DefinitionId, String);

/// A piece of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    /// The greatest first.
    pub(super) ids: Vec<InstanceId>,
    /// Down to this one nothing was left out; `None`: down to the last.
    pub(super) reached: Option<InstanceId>,
}

impl Piece {
    fn of(ids: Vec<InstanceId>, asked: i64) -> Self {
        let full = i64::try_from(ids.len()).is_ok_and(|count| count >= asked);
        let reached = ids.last().copied().filter(|_| full);
        Self { ids, reached }
    }

    /// What either of two ways leads to.
    pub(super) fn or(self, other: Self) -> Self {
        let reached = self.reached.max(other.reached);
        let mut ids = self.ids;
        ids.extend(other.ids);
        ids.retain(|id| reached.is_none_or(|reached| *id >= reached));
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.dedup();
        Self { ids, reached }
    }
}

/// The ids to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) below: InstanceId,
    pub(super) from: InstanceId,
}

/// The way that leads past the fewest others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// By its id.
    One(InstanceId),
    Failures {
        fingerprint: Option<Fingerprint>,
        text: Option<String>,
    },
    /// Failed there or unfinished.
    Step(String),
    Unfinished,
    Terminated,
    /// Any of these terms; what is not below `followed` has none yet.
    Terms {
        terms: Vec<Wanted>,
        followed: InstanceId,
    },
    Walk,
}

/// A term that instances may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) term: Term,
    /// As the release before wrote it.
    pub(super) former: Term,
}

/// Searches of one account.
pub(super) struct Candidates<'a> {
    pub(super) pool: &'a PgPool,
    pub(super) account: &'a AccountId,
    pub(super) status: Option<InstanceStatus>,
    pub(super) definition: Option<DefinitionId>,
    /// How many are asked for.
    pub(super) page: usize,
}

impl Candidates<'_> {
    fn named_rows(&self) -> i64 {
        i64::try_from(self.page).unwrap_or(WALKED).clamp(NAMED, WALKED)
    }

    pub(super) async fn next(&self, way: &Way, range: Range) -> Result<Piece, StoreError> {
        match way {
            Way::One(id) => {
                let inside = *id < range.below && *id >= range.from;
                Ok(Piece { ids: inside.then_some(*id).into_iter().collect(), reached: None })
            }
            Way::Failures { fingerprint: Some(fingerprint), text } => {
                let alike = sqlx::query_as(statements::FAILURES_ALIKE);
                self.failures(alike, WALKED, range, Some(fingerprint.0), text.as_deref()).await
            }
            Way::Failures { fingerprint: None, text } => {
                let all = sqlx::query_as(statements::FAILURES);
                self.failures(all, WALKED, range, Some(text.is_some()), text.as_deref()).await
            }
            Way::Step(step) => {
                let failed = sqlx::query_as(statements::FAILURES_OF_STEP);
                let failed = self.failures(failed, self.named_rows(), range, Some(step), None).await?;
                Ok(failed.or(self.unfinished(range).await?))
            }
            Way::Unfinished => self.unfinished(range).await,
            Way::Terminated => {
                let failed = sqlx::query_as(statements::FAILURES);
                // Of one definition they may be far apart.
                let rows = if self.definition.is_some() { WALKED } else { self.named_rows() };
                let failed = self.failures(failed, rows, range, Some(false), None).await?;
                Ok(failed.or(self.named_before(&[former::of_stopped()], range).await?))
            }
            Way::Terms { terms, followed } if range.below <= *followed => self.named(terms, range).await,
            Way::Terms { followed, .. } => {
                let fresh = Range { from: range.from.max(*followed), ..range };
                let mut piece = self.walk(fresh).await?;
                if fresh.from > range.from {
                    piece.reached = piece.reached.or(Some(fresh.from));
                }
                Ok(piece)
            }
            Way::Walk => self.walk(range).await,
        }
    }

    async fn walk(&self, range: Range) -> Result<Piece, StoreError> {
        let (seen, last, ids): (i64, Option<Vec<u8>>, Vec<Vec<u8>>) = sqlx::query_as(statements::WALK)
            .bind(self.account.as_str())
            .bind(&range.below.as_bytes()[..])
            .bind(&range.from.as_bytes()[..])
            .bind(WALKED)
            .bind(self.status.map(InstanceStatus::as_str))
            .bind(self.definition)
            .fetch_one(self.pool)
            .await?;
        let reached = last.filter(|_| seen >= WALKED).map(|id| read_id(&id)).transpose()?;
        Ok(Piece { ids: read_ids(&ids)?, reached })
    }

    async fn unfinished(&self, range: Range) -> Result<Piece, StoreError> {
        let rows: Vec<(bool, Vec<u8>, bool)> = sqlx::query_as(statements::UNFINISHED)
            .bind(self.account.as_str())
            .bind(&range.below.as_bytes()[..])
            .bind(&range.from.as_bytes()[..])
            .bind(PARKED)
            .fetch_all(self.pool)
            .await?;
        let of = |parked: bool| -> Result<Piece, StoreError> {
            let rows = || rows.iter().filter(move |row| row.0 == parked);
            let all = rows().map(|row| read_id(&row.1)).collect::<Result<Vec<_>, _>>()?;
            let mut piece = Piece::of(all, PARKED);
            let mut ours = rows().map(|row| row.2);
            piece.ids.retain(|_| ours.next() == Some(true));
            Ok(piece)
        };
        Ok(of(false)?.or(of(true)?))
    }

    async fn named(&self, wanted: &[Wanted], range: Range) -> Result<Piece, StoreError> {
        let terms: Vec<Term> = wanted.iter().map(|wanted| wanted.term).collect();
        let formers: Vec<Term> = wanted.iter().map(|wanted| wanted.former).collect();
        let many = self.in_groups(&terms, range).await?;
        // Where many have it, there is nothing to be looked for below these.
        let range = Range { from: many.reached.unwrap_or(range.from), ..range };
        let few = read_buckets(self.pool, &terms, range).await?;
        let few = few.or(self.with_values(&terms, range).await?);
        Ok(many.or(few).or(self.named_before(&formers, range).await?))
    }

    async fn with_values(&self, terms: &[Term], range: Range) -> Result<Piece, StoreError> {
        let (below, from) = (Halves::of(range.below), Halves::of(range.from));
        let found: Vec<(i32, i64)> = sqlx::query_as(statements::VALUES)
            .bind(below.at)
            .bind(below.rest)
            .bind(from.at)
            .bind(from.rest)
            .bind(self.named_rows())
            .bind(terms.iter().map(|term| short(*term)).collect::<Vec<_>>())
            .fetch_all(self.pool)
            .await?;
        let ids = found.into_iter().map(|(at, rest)| Halves { at, rest }.id()).collect();
        Ok(Piece::of(ids, self.named_rows()))
    }

    async fn in_groups(&self, terms: &[Term], range: Range) -> Result<Piece, StoreError> {
        let rows = (SHARED.max(self.page / LEAST_IN_GROUP) / terms.len().max(1)).max(LEAST_SHARED);
        let found: Vec<(Term, Vec<u8>, Vec<u8>)> = sqlx::query_as(statements::GROUPS)
            .bind(&range.below.as_bytes()[..])
            .bind(i64::try_from(rows).unwrap_or(i64::MAX))
            .bind(terms)
            .fetch_all(self.pool)
            .await?;
        let mut all = Piece::default();
        for of_term in found.chunk_by(|a, b| a.0 == b.0) {
            let mut ids = Vec::new();
            for (_, _, group) in of_term {
                let mut group = unpack(group)?;
                group.retain(|id| *id < range.below && *id >= range.from);
                ids.extend(group.into_iter().rev());
            }
            // Rows of one term lie apart: what is not read comes before the last one that is.
            let last = of_term.last().filter(|_| of_term.len() >= rows);
            let reached = last.map(|(_, first, _)| read_id(first)).transpose()?;
            let reached = reached.filter(|reached| *reached > range.from);
            all = all.or(Piece { ids, reached });
        }
        Ok(all)
    }

    async fn named_before(&self, terms: &[Term], range: Range) -> Result<Piece, StoreError> {
        let ids: Vec<Vec<u8>> = sqlx::query_scalar(statements::FORMER_TERMS)
            .bind(self.account.as_str())
            .bind(&range.below.as_bytes()[..])
            .bind(&range.from.as_bytes()[..])
            .bind(self.named_rows())
            .bind(terms)
            .fetch_all(self.pool)
            .await?;
        Ok(Piece::of(read_ids(&ids)?, self.named_rows()))
    }

    /// `by` is the statement's own parameter, where it has one.
    async fn failures<'q, T>(
        &self,
        statement: sqlx::query::QueryAs<'q, sqlx::Postgres, FailureRow, sqlx::postgres::PgArguments>,
        rows: i64,
        range: Range,
        by: Option<T>,
        text: Option<&str>,
    ) -> Result<Piece, StoreError>
    where
        T: sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + 'q,
    {
        let mut statement = statement
            .bind(self.account.as_str().to_owned())
            .bind(range.below.as_bytes().to_vec())
            .bind(range.from.as_bytes().to_vec())
            .bind(rows);
        if let Some(by) = by {
            statement = statement.bind(by);
        }
        let found: Vec<FailureRow> = statement.fetch_all(self.pool).await?;
        let ids = found.iter().map(|(id, ..)| read_id(id)).collect::<Result<Vec<_>, _>>()?;
        let mut piece = Piece::of(ids, rows);
        let text = text.map(str::to_lowercase);
        let mut wanted = found.iter().map(|(_, definition, message)| {
            self.definition.is_none_or(|wanted| wanted == *definition)
                && text.as_ref().is_none_or(|text| message.to_lowercase().contains(text))
        });
        piece.ids.retain(|_| wanted.next() == Some(true));
        Ok(piece)
    }
}

fn read_ids(ids: &[Vec<u8>]) -> Result<Vec<InstanceId>, StoreError> {
    ids.iter().map(|id| read_id(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u32) -> InstanceId {
        InstanceId::from_parts(n, [0; 5], 0)
    }

    #[test]
    fn two_ways_are_taken_as_far_as_both_were_gone() {
        let piece = |ids: &[u32], reached: Option<u32>| Piece {
            ids: ids.iter().map(|n| id(*n)).collect(),
            reached: reached.map(id),
        };
        for (one, other, both) in [
            (piece(&[9, 7], Some(7)), piece(&[9, 8, 5], None), piece(&[9, 8, 7], Some(7))),
            (piece(&[9], Some(3)), piece(&[8, 4], Some(4)), piece(&[9, 8, 4], Some(4))),
            (piece(&[], None), piece(&[2, 1], None), piece(&[2, 1], None)),
        ] {
            assert_eq!(one.or(other), both);
        }
    }

    #[test]
    fn a_piece_that_is_not_full_is_the_last() {
        assert_eq!(Piece::of(vec![id(2), id(1)], 2).reached, Some(id(1)));
        assert_eq!(Piece::of(vec![id(2), id(1)], 3).reached, None);
    }
}
