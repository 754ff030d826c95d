//! The history's time partitions. `instances`, `steps`, `attempts` and what the search goes by are cut by week of the
//! instance's start, through the instance id, so that old history leaves as whole tables and gives its disk back.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};

use crate::{Store, StoreError};

/// Weeks that exist ahead of time, so that a skewed clock or a missed upkeep run loses nothing.
const WEEKS_AHEAD: usize = 4;

/// The partitioned tables with their storage settings.
const TABLES: [(&str, &str); 8] = [
    (
        "instances",
        "fillfactor = 93, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 20",
    ),
    ("steps", "autovacuum_vacuum_insert_scale_factor = 0.5"),
    ("attempts", "autovacuum_vacuum_insert_scale_factor = 0.5"),
    ("failures", "autovacuum_vacuum_insert_scale_factor = 0.5"),
    ("search_terms", "autovacuum_vacuum_insert_scale_factor = 0.5"),
    ("search_groups", "autovacuum_vacuum_insert_scale_factor = 0.5"),
    ("search_values", "autovacuum_vacuum_insert_scale_factor = 0.5"),
    // What was merged leaves its room to what comes next.
    ("search_buckets", "autovacuum_vacuum_scale_factor = 0.1"),
];

/// They have the second of an id in a column of its own.
const BY_SECOND: [&str; 2] = ["search_values", "search_buckets"];

/// One week of history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Week {
    monday: NaiveDate,
}

impl Week {
    pub fn of(at: DateTime<Utc>) -> Self {
        Self { monday: at.date_naive().week(chrono::Weekday::Mon).first_day() }
    }

    /// The week of a table that [`Week::table`] named.
    pub fn of_table(name: &str) -> Option<Self> {
        let (year, week) = name.rsplit('_').next()?.split_once('w')?;
        let monday =
            NaiveDate::from_isoywd_opt(year.parse().ok()?, week.parse().ok()?, chrono::Weekday::Mon)?;
        Some(Self { monday })
    }

    #[must_use]
    pub fn next(self) -> Self {
        Self { monday: self.monday + Days::new(7) }
    }

    /// `instances_2026w47`
    pub fn table(self, parent: &str) -> String {
        let week = self.monday.iso_week();
        format!("{parent}_{}w{:02}", week.year(), week.week())
    }

    /// The first id of the week, as a PostgreSQL literal of what the table is cut by: four bytes of seconds, or the
    /// number that they are there.
    fn bound(self, parent: &str) -> String {
        let midnight = self.monday.and_hms_opt(0, 0, 0).expect("midnight exists").and_utc();
        let seconds = u32::try_from(midnight.timestamp().max(0)).unwrap_or(u32::MAX);
        if BY_SECOND.contains(&parent) {
            (i64::from(seconds) - (1 << 31)).to_string()
        } else {
            format!("'\\x{seconds:08x}'")
        }
    }
}

/// Making or dropping a partition locks out everybody for a moment, and everybody queues behind the wait for
/// that lock: better to come again.
pub(crate) const LOCK_TIMEOUT: &str = "set local lock_timeout = '200ms'";

impl Store {
    /// Makes the partitions of this week, the next ones and those that any instances are in, and a default one
    /// for whatever lies outside. One that cannot be made now is left for the next time; its rows go to the
    /// default one meanwhile.
    pub async fn ensure_partitions(&self) -> Result<(), StoreError> {
        let weeks = self.weeks().await?;
        for (parent, settings) in TABLES {
            let rest = format!("create table if not exists {parent}_rest partition of {parent} default");
            self.make_partition(&format!("{parent}_rest"), &rest).await?;
            for &week in &weeks {
                let table = week.table(parent);
                let (from, to) = (week.bound(parent), week.next().bound(parent));
                let create = format!(
                    "create table if not exists {table} partition of {parent}
                     for values from ({from}) to ({to}) with ({settings})"
                );
                self.make_partition(&table, &create).await?;
            }
        }
        Ok(())
    }

    async fn weeks(&self) -> Result<BTreeSet<Week>, StoreError> {
        let now: DateTime<Utc> = sqlx::query_scalar("select now()").fetch_one(&self.pool).await?;
        let there: Vec<String> = sqlx::query_scalar(
            "select c.relname::text
             from pg_inherits h
             join pg_class c on c.oid = h.inhrelid
             where h.inhparent = 'instances'::regclass",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut weeks: BTreeSet<Week> = there.iter().filter_map(|name| Week::of_table(name)).collect();
        let mut week = Week::of(now);
        for _ in 0..=WEEKS_AHEAD {
            weeks.insert(week);
            week = week.next();
        }
        Ok(weeks)
    }

    async fn make_partition(&self, table: &str, create: &str) -> Result<(), StoreError> {
        let exists: bool = sqlx::query_scalar("select to_regclass($1) is not null")
            .bind(table)
            .fetch_one(&self.pool)
            .await?;
        if exists {
            return Ok(());
        }
        match self.try_make_partition(create).await {
            Err(error) if error.is_conflict() || error.is_refusal() => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(
                    partition = table,
                    cause,
                    "a partition is not made now; its rows go to the rest"
                );
                Ok(())
            }
            result => result,
        }
    }

    async fn try_make_partition(&self, create: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::raw_sql("set local client_min_messages = warning").execute(&mut *transaction).await?;
        sqlx::query("select pg_advisory_xact_lock(hashtext('trunkline partitions'))")
            .execute(&mut *transaction)
            .await?;
        sqlx::raw_sql(LOCK_TIMEOUT).execute(&mut *transaction).await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(create.to_owned())).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn a_week_is_named_by_its_iso_number_and_bounded_by_its_monday() {
        let week = Week::of(Utc.with_ymd_and_hms(2026, 11, 21, 8, 0, 0).unwrap());
        assert_eq!(week.table("steps"), "steps_2026w47");
        assert_eq!(week.bound("steps"), "'\\x6afa4780'", "Monday the 16th, midnight UTC");
        assert_eq!(week.bound("search_buckets"), "-352696448", "0x6afa4780 less 2^31");
        assert_eq!(Week::of(Utc.with_ymd_and_hms(2026, 12, 31, 0, 0, 0).unwrap()).table("s"), "s_2026w53");
        assert_eq!(week.next().table("s"), "s_2026w48");
        assert_eq!(Week::of_table("search_terms_2026w47"), Some(week));
        assert_eq!(Week::of_table("instances_rest"), None);
    }
}
