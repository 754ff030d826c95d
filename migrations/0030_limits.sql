-- What accounts may do at once, and who waits for leave to do more.

set local lock_timeout = '3s';

-- As the account set them; without a row nothing is limited. Rows stay, so that whoever looks for what changed sees
-- limits go, too.
create table limits (
    account_id text primary key references accounts (id),
    settings text not null,              -- JSON
    changed_at timestamptz not null default clock_timestamp(),
    looked_over boolean not null default false   -- everybody who waits until a time waits for these limits
);
create index limits_changed on limits (changed_at);            -- store::limits::changed_limits

-- What was let through lately under one rate. Written and read whole, under the lock of the account.
create table rates (
    account_id text not null,
    name text not null,
    log text not null,                   -- workflow::limits::Log, as JSON
    over_at timestamptz not null,        -- from then on nothing of it counts; store::upkeep::prune
    primary key (account_id, name)
) with (fillfactor = 70);

-- Jobs that wait for leave or had it: (instance_id, n) is the idempotency key, so a job that is tried again needs
-- it once. What is parked is parked in `waits`.
create table leaves (
    instance_id bytea not null,
    n int not null,
    path int not null,
    account_id text not null,
    queue text,                          -- what it waits for; null: nothing
    by_time boolean not null,            -- it goes on when its time has come, not when somebody lets it
    reason text,                         -- workflow::limits::Reason, as JSON
    asked_at timestamptz not null,       -- its place in the queue
    looked_at timestamptz not null,      -- when it was decided about last
    given_at timestamptz,                -- it counts for the rates since
    primary key (instance_id, n),
    check ((queue is null) = (reason is null))
);
create index leaves_waiting on leaves (by_time, account_id, queue, asked_at, instance_id, n)
    where queue is not null;             -- store::limits::ask_leave, store::limits::let_through
create index leaves_age on leaves (asked_at);                  -- store::upkeep::prune
