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

/// $1 account, $2 below, $3 from, $4 rows, $5 with messages.
pub const FAILURES: &str = "
select instance_id, definition_id, case when $5 then message else '' end
from failures
where account_id = $1 and instance_id < $2 and instance_id >= $3
order by instance_id desc
limit $4";

/// The same of one kind; $5 fingerprint.
pub const FAILURES_ALIKE: &str = "
select instance_id, definition_id, message
from failures
where account_id = $1 and fingerprint = $5 and instance_id < $2 and instance_id >= $3
order by instance_id desc
limit $4";

/// The same of one step; $5 its name.
pub const FAILURES_OF_STEP: &str = "
select instance_id, definition_id, message
from failures
where account_id = $1 and hashtextextended(step, 0) = hashtextextended($5, 0) and step = $5
    and instance_id < $2 and instance_id >= $3
order by instance_id desc
limit $4";

/// Instances that share a term with few others: the halves of their ids. $1 and $2 of the id that they are below, $3
/// and $4 of the one from which on, $5 rows, $6 halves of any of these terms.
pub const VALUES: &str = "
select found.at, found.rest
from unnest($6::int[]) as wanted (term)
cross join lateral (
    select at, rest
    from search_values v
    where v.term = wanted.term and v.at <= $1 and v.at >= $3 and (v.at, v.rest) < ($1, $2)
        and (v.at, v.rest) >= ($3, $4)
    order by v.at desc, v.rest desc
    limit $5
) found
order by found.at desc, found.rest desc
limit $5";

/// What terms of few instances are packed in, the newest first. $1 buckets, $2 second of the id that they are below, $3
/// of the one from which on, $4 rows, and those that end in the same second as the last one.
pub const BUCKETS: &str = "
select greatest, entries
from search_buckets
where bucket = any ($1) and least <= $2 and greatest >= $3
order by greatest desc
fetch first $4 rows with ties";

/// Buckets with too many rows of a week. $1 the one behind which, $2 the last one, $3 rows to look at, $4 rows that are
/// too many.
pub const FULL_BUCKETS: &str = "
with passed as materialized (
    select bucket, (least + 2147483648 + 259200) / 604800 as week
    from search_buckets
    where bucket > $1 and bucket <= $2
    order by bucket
    limit $3
), too_many as materialized (
    select bucket, week, count(*) as rows
    from passed
    group by bucket, week
    having count(*) >= $4
)
select (select count(*) from passed), (select max(bucket) from passed),
    array(select bucket from too_many order by bucket, week),
    array(select week from too_many order by bucket, week),
    array(select rows from too_many order by bucket, week)";

/// Takes rows of a week away, each once: a place is one of a partition, and no partition has two weeks. $1 buckets, $2
/// first and $3 last second, $4 rows.
pub const TAKE_BUCKETS: &str = "
delete from search_buckets
where least between $2 and $3
    and ctid = any (array(
        select ctid
        from search_buckets
        where bucket = any ($1) and least between $2 and $3
        limit $4
    ))
returning bucket, entries";

/// Instances that share a term with many others. $1 below, $2 rows of each term, $3 any of these terms.
pub const GROUPS: &str = "
select wanted.term, found.first, found.ids
from unnest($3::bigint[]) as wanted (term)
cross join lateral (
    select first, ids
    from search_groups g
    where g.term = wanted.term and g.first < $1
    order by g.first desc
    limit $2
) found
order by wanted.term, found.first desc";

/// As the release before wrote them. $1 account, $2 below, $3 from, $4 rows, $5 any of these terms.
pub const FORMER_TERMS: &str = "
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

/// How many a term has, more or less, and up to a limit, besides those that are packed. $1 its half, $2 the term, $3
/// account, $4 the term as the release before wrote it, $5 rows of few, $6 rows of many.
pub const COUNT_TERM: &str = "
select (
    select count(*)
    from (select from search_values where term = $1 limit $5) few
) + (
    select coalesce(sum(octet_length(ids) / 12), 0)
    from (select ids from search_groups where term = $2 limit $6) many
) + (
    select count(*)
    from (select from search_terms where account_id = $3 and term = $4 limit $5) former
)";

/// The candidates themselves, as far as the conditions hold. $1 ids, $2 the least, $3 the greatest of them, $4
/// account, $5 status, $6 definition, $7 version, $8 subaccount, $9 from, $10 before, $11 fingerprint, $12 with
/// contexts, $13 bytes of contexts; behind them it stops, and the last column says so.
pub const LOAD: &str = "
select id, definition_id, name, version, status, started_at, completed_at, step, message, fingerprint,
    case when $12 then data end, is_more
from (
    select *, sum(size) over () >= $13 as is_more, sum(size) over (order by id desc) - size as before
    from (
        select i.id, i.definition_id, v.name, i.version, i.status, i.started_at, i.completed_at, f.step, f.message,
            f.fingerprint, i.data, case when $12 then octet_length(i.data) else 0 end as size
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
    ) found
) found
where before < $13
order by id desc";

/// What has become of instances. $1 their ids, $2 the least, $3 the greatest of them, $4 bytes of contexts; behind them it
/// stops, in the order in which they are given, and the last column says so. Each is looked up by itself: joined with the
/// ids, a thousand of them were compared with a thousand.
pub const LOOK_AGAIN: &str = "
select id, is_open, hashtext(data), is_more
from (
    select i.*, s.nth, sum(i.size) over () >= $4 as is_more, sum(i.size) over (order by s.nth) - i.size as before
    from unnest($1::bytea[]) with ordinality as s (id, nth)
    cross join lateral (
        select id, completed_at is null as is_open, data, octet_length(data) as size
        from instances
        where id = s.id and id >= $2 and id <= $3
        offset 0
    ) i
) looked_at
where before < $4
order by nth";
