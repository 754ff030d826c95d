-- Instances that run an ended one again.

set local lock_timeout = '3s';

-- The context that an instance was started with, once an output has changed `data`; null: `data` is it still. For
-- instances of before this column it is not known, and the empty text says so (rows are not rewritten for it).
alter table instances add column started_data text default '';
alter table instances alter column started_data drop default;

create table reruns (
    instance_id bytea primary key check (octet_length(instance_id) = 12),
    origin bytea not null,
    account_id text not null references accounts (id),
    choice text not null,                -- JSON: from where, on which version; not the changes of the context
    created_at timestamptz not null default now()
);
create index reruns_of_origin on reruns (origin);             -- store::explain
create index reruns_age on reruns (created_at);               -- store::upkeep
