-- What the search of instances goes by besides their ids. Nothing here is written by an instance that runs well:
-- `failures` by the end of one that does not, the rest by upkeep.

-- Why instances ended by themselves before their end.
create table failures (
    instance_id bytea not null primary key,
    account_id text not null,
    definition_id uuid not null,
    version int not null,
    step text not null,
    message text not null,               -- its first 2,000 characters
    fingerprint bigint not null,         -- the same for messages that differ in numbers, ids and quotes only
    failed_at timestamptz not null default now()
) partition by range (instance_id);
create index failures_of_account on failures (account_id, instance_id);                  -- store::search, error text
create index failures_alike on failures (account_id, fingerprint, instance_id);          -- store::search, fingerprint
create index failures_of_step on failures (account_id, hashtextextended(step, 0), instance_id);  -- store::search, step

-- Values that instances are found by. A term is a hash of what it is the value of and the value, so whatever is
-- found by it is looked at again.
create table search_terms (
    account_id text not null,
    term bigint not null,
    instance_id bytea not null,
    primary key (account_id, term, instance_id)
) partition by range (instance_id);

-- Instances that were unfinished when upkeep came by: their contexts change yet.
create table search_open (
    instance_id bytea primary key
);

-- How far each walk over the instances has come.
create table search_marks (
    walk text primary key,
    mark bytea not null,
    until bytea                          -- null: it never ends
);
insert into search_marks (walk, mark) values ('terms', ''), ('open', ''), ('failures', '');
