-- What accounts may start in a month, and what they started.

set local lock_timeout = '3s';

-- `allowed_workflow_count` is a calendar month's (UTC), null: no quota. Beyond it more may be started while
-- `allowed_overage`, each at `overage_price`, which is only told, never computed with.
alter table accounts
    add column allowed_workflow_count bigint check (allowed_workflow_count >= 0),
    add column allowed_overage boolean not null default true,
    add column overage_price double precision not null default 0
        check (overage_price >= 0 and overage_price < 'infinity');

-- Instances started in a month (UTC): the sum over the shards. A starter counts in the shard of its
-- connection, so that parallel starters do not queue for one row. Rows are rewritten with every group of
-- starts; the room on their pages keeps these updates HOT. Kept for good: a few rows per account and month.
create table usage_counts (
    account_id text not null,
    year smallint not null,
    month smallint not null check (month between 1 and 12),
    shard smallint not null check (shard between 0 and 31),
    started bigint not null check (started > 0),
    primary key (account_id, year, month, shard)      -- store::starts::write, store::usage
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
