-- The engine's tables. Times are the database's. Ids of instances are 12 bytes whose first four are the
-- Unix second of the start, so that the history tables are partitioned by time through their own key.

create table accounts (
    id text primary key check (id <> ''),
    created_at timestamptz not null default now()
);

-- A key is stored as the SHA-256 of its secret; `prefix` is what a list may show.
create table api_keys (
    id uuid primary key,
    account_id text not null references accounts (id),
    name text not null,
    prefix text not null,
    hash bytea not null unique,          -- store::keys::authenticate
    created_at timestamptz not null default now(),
    revoked_at timestamptz
);
create index api_keys_account on api_keys (account_id);  -- store::keys::list

-- One row per definition. `last_version` only grows: numbers are never used twice.
create table definitions (
    account_id text not null references accounts (id),
    id uuid not null,
    created_at timestamptz not null default now(),
    last_version int not null check (last_version >= 1),
    newest_version int,                  -- null: deleted
    primary key (account_id, id)
);
create index definitions_listed on definitions (account_id, created_at desc, id)
    where newest_version is not null;    -- store::definitions::list

-- A saved version never changes, but for being deleted or no longer the newest.
create table definition_versions (
    account_id text not null,
    definition_id uuid not null,
    version int not null,
    name text not null,
    subaccount_id text,
    trigger text not null check (trigger in ('inbound_sms', 'inbound_chat_apps', 'http_request')),
    enabled boolean not null,
    steps text not null,                 -- the JSON as submitted
    extras text not null default '{}',   -- members that we do not know, echoed
    newest boolean not null,
    created_at timestamptz not null default now(),
    deleted_at timestamptz,              -- upkeep removes what belongs to it, then the row
    primary key (account_id, definition_id, version),
    foreign key (account_id, definition_id) references definitions (account_id, id)
);
create unique index definition_versions_newest on definition_versions (account_id, definition_id)
    where newest;
create index definition_versions_triggered on definition_versions (account_id, trigger)
    where newest and enabled;            -- store::definitions::triggered_by
create index definition_versions_deleted on definition_versions (deleted_at)
    where deleted_at is not null;        -- store::upkeep::remove_deleted_versions

-- A run of one version. `data` is the context, as JSON text; `issued` counts the jobs given out (it may
-- lag behind `jobs.issued` and `waits.issued`, whose maximum is the truth while the instance lives).
create table instances (
    id bytea not null check (octet_length(id) = 12),
    account_id text not null,
    definition_id uuid not null,
    version int not null,
    status text not null check (status in ('Runnable', 'Suspended', 'Complete', 'Terminated')),
    issued int not null default 1,
    started_at timestamptz not null default now(),
    completed_at timestamptz,
    data text not null,
    primary key (id),
    check ((completed_at is null) = (status in ('Runnable', 'Suspended')))
) partition by range (id);
create index instances_listed on instances (account_id, definition_id, version, started_at, id);  -- store::instances::list

-- Active paths: the rows that workers claim. A path keeps its row, which is rewritten in place with the
-- path's next job (no indexed column changes, so the update is HOT); `n` counts the instance's jobs and
-- (instance_id, n) is the job's identity and, as a UUID, its idempotency key.
create table jobs (
    instance_id bytea not null,
    path int not null,
    account_id text not null,
    n int not null,
    step int not null,                   -- position in the version's flattened steps
    scope int,                           -- path of the If whose body this path runs in
    issued int not null,
    attempt int not null default 0,
    alone boolean not null,              -- the instance has no other path and no wait
    queued boolean not null default false,  -- a sibling is at work: one step at a time per instance
    held boolean not null default false,    -- the instance is suspended
    worker bigint,                       -- the incarnation that holds it: the fence
    resume text,                         -- what ended the wait, when this job was parked before
    ready_at timestamptz not null default now(),
    started_at timestamptz,
    primary key (instance_id, path)
) with (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.5, autovacuum_vacuum_cost_delay = 0, autovacuum_vacuum_insert_threshold = -1
);
create index jobs_ready on jobs (ready_at)
    where worker is null and not queued and not held;    -- store::jobs::claim
create index jobs_leased on jobs (worker) where worker is not null;  -- store::workers::rescue_jobs

-- Parked paths: timers, awaited events, retries, open If bodies.
create table waits (
    instance_id bytea not null,
    path int not null,
    account_id text not null,
    n int not null,
    step int not null,
    scope int,
    issued int not null,
    attempt int not null,
    kind text not null check (kind in ('timer', 'reply', 'retry', 'body')),
    due_at timestamptz,
    key text,                            -- correlation key, for kind reply
    started_at timestamptz not null,
    note text,                           -- why a retry waits
    resume text,                         -- what the retried job had been given
    primary key (instance_id, path),
    check ((kind = 'body') = (due_at is null)),
    check ((kind = 'reply') = (key is not null))
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
create index waits_due on waits (due_at) where due_at is not null;           -- store::waits::release_due
create index waits_key on waits (account_id, key) where key is not null;     -- store::events::deliver

-- The log: one row per finished job, appended, never updated. A running job's entry is read from `jobs`
-- and `waits`.
create table steps (
    instance_id bytea not null,
    n int not null,
    name text not null,
    status text not null check (status in ('Complete', 'Failed', 'Cancelled')),
    attempt int not null,
    started_at timestamptz,
    completed_at timestamptz not null default now(),
    result text,                         -- what the activity returned (`step`), as JSON text
    error text,
    primary key (instance_id, n)
) partition by range (instance_id);

-- What came in from outside, once per provider message.
create table events (
    id bigint generated always as identity primary key,
    account_id text not null,
    dedupe_key text not null,
    trigger text not null,
    body text not null,
    received_at timestamptz not null default now(),
    unique (account_id, dedupe_key)
);
create index events_received on events (received_at);         -- store::upkeep::prune

-- The correlation keys of an event, for a wait that is registered after it.
create table event_keys (
    account_id text not null,
    key text not null,
    event_id bigint not null references events (id) on delete cascade,
    received_at timestamptz not null,
    primary key (account_id, key, event_id)  -- store::events::look_back
);
create index event_keys_event on event_keys (event_id);  -- the cascade

-- Which instances an event started or resumed.
create table event_uses (
    event_id bigint not null references events (id) on delete cascade,
    instance_id bytea not null,
    definition_id uuid not null,
    started boolean not null,
    primary key (event_id, instance_id)
);

create index event_uses_instance on event_uses (instance_id);

-- Last known state of a sent message; a state never goes back.
create table messages (
    account_id text not null,
    umid text not null,
    channel text,
    state text not null,
    rank int not null,
    detail text,
    error_code int,
    error_message text,
    changed_at timestamptz not null,
    received_at timestamptz not null default now(),
    primary key (account_id, umid)
);
create index messages_received on messages (received_at);     -- store::upkeep::prune

-- Answers kept for a repeated Idempotency-Key, 24 hours.
create table idempotency_keys (
    account_id text not null,
    key text not null,
    request bytea not null,              -- SHA-256 of method, path and body
    instances bytea[] not null,
    created_at timestamptz not null default now(),
    primary key (account_id, key)
);
create index idempotency_keys_created on idempotency_keys (created_at);

-- One row per life of a worker process. Its id is the fence of what it holds; once `lost_at` is set the
-- id is never used again.
create table workers (
    id bigint generated always as identity primary key,
    name text not null,
    slots int not null,
    version text not null,
    started_at timestamptz not null default now(),
    leased_until timestamptz not null,
    lost_at timestamptz
);
create index workers_live on workers (leased_until) where lost_at is null;   -- store::workers::rescue_jobs

-- Upkeep tasks: who runs each and when it ran.
create table upkeep (
    task text primary key,
    worker bigint not null,
    leased_until timestamptz not null
);
