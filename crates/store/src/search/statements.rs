//! Where candidates come from. Each looks at a limited number of rows, newest first, between two ids, and goes
//! through one index: a test pins the plans.

/// A walk down the instances. $1 account, $2 below, $3 from, $4 rows, $5 status, $6 definition.
/// Answers how many rows it saw, the last one, and those of the account.
pub const WALK: &str = "
with newest as materialized (
    select id, account_id, status, definition_id
    from instances
    where id < $2 and id >= $3
    order by id desc
    limit $4
)
select (select count(*) from newest),
    (select id from newest order by id limit 1),
    array(
        select id
        from newest
        where account_id = $1
            and ($5::text is null or status = $5)
            and ($6::uuid is null or definition_id = $6)
        order by id desc
    )";

/// Where jobs and waits are, there an instance is unfinished. $1 account, $2 below, $3 from, $4 rows of each.
pub const UNFINISHED: &str = "
select false as parked, instance_id, ours
from (
    select instance_id, account_id = $1 as ours
    from jobs
    where instance_id < $2 and instance_id >= $3
    order by instance_id desc
    limit $4
) j
union all
select true, instance_id, ours
from (
    select instance_id, account_id = $1
    from waits
    where instance_id < $2 and instance_id >= $3
    order by instance_id desc
    limit $4
) w (instance_id, ours)";

/// $1 account, $2 below, $3 from, $4 rows.
pub const FAILURES: &str = "
select instance_id, message
from failures
where account_id = $1 and instance_id < $2 and instance_id >= $3
order by instance_id desc
limit $4";

/// The same of one kind; $5 fingerprint.
pub const FAILURES_ALIKE: &str = "
select instance_id, message
from failures
where account_id = $1 and fingerprint = $5 and instance_id < $2 and instance_id >= $3
order by instance_id desc
limit $4";

/// The same of one step; $5 its name.
pub const FAILURES_OF_STEP: &str = "
select instance_id, message
from failures
where account_id = $1 and hashtextextended(step, 0) = hashtextextended($5, 0) and step = $5
    and instance_id < $2 and instance_id >= $3
order by instance_id desc
limit $4";

/// $1 account, $2 below, $3 from, $4 rows, $5 any of these terms.
pub const TERMS: &str = "
select found.instance_id
from unnest($5::bigint[]) as wanted (term)
cross join lateral (
    select instance_id
    from search_terms t
    where t.account_id = $1 and t.term = wanted.term and t.instance_id < $2 and t.instance_id >= $3
    order by t.instance_id desc
    limit $4
) found
order by found.instance_id desc
limit $4";

/// How many a term has, up to a limit. $1 account, $2 term, $3 rows.
pub const COUNT_TERM: &str = "
select count(*)
from (
    select
    from search_terms
    where account_id = $1 and term = $2
    limit $3
) counted";

/// The candidates themselves, as far as the conditions hold. $1 ids, $2 the least, $3 the greatest of them, $4
/// account, $5 status, $6 definition, $7 version, $8 subaccount, $9 from, $10 before, $11 fingerprint, $12 with
/// contexts.
pub const LOAD: &str = "
select i.id, i.definition_id, v.name, i.version, i.status, i.started_at, i.completed_at, f.step, f.message,
    f.fingerprint, case when $12 then i.data end
from instances i
join definition_versions v on v.account_id = i.account_id and v.definition_id = i.definition_id
    and v.version = i.version and v.deleted_at is null
left join failures f on f.instance_id = i.id and f.instance_id >= $2 and f.instance_id <= $3
where i.id = any($1) and i.id >= $2 and i.id <= $3
    and i.account_id = $4
    and ($5::text is null or i.status = $5)
    and ($6::uuid is null or i.definition_id = $6)
    and ($7::int is null or i.version = $7)
    and ($8::text is null or v.subaccount_id = $8)
    and ($9::timestamptz is null or i.started_at >= $9)
    and ($10::timestamptz is null or i.started_at < $10)
    and ($11::bigint is null or f.fingerprint = $11)
order by i.id desc";
