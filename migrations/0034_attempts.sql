-- What every attempt of a step that does something did, with what became of it; and what of that may be kept.

set local lock_timeout = '3s';

create sequence attempts_id;

-- One row per attempt that has something to tell: of steps that reach out, and whatever did not work. Written with the
-- completion; of a worker that died, by who frees its jobs. Redacted before it comes here.
create table attempts (
    instance_id bytea not null,
    id bigint not null default nextval('attempts_id'),
    n int not null,                      -- with the instance: the job
    attempt int not null,
    step int not null,                   -- position in the version's flattened steps
    worker text,
    outcome text not null check (outcome in
        ('completed', 'waiting', 'retried', 'postponed', 'failed', 'interrupted')),
    started_at timestamptz not null,
    ended_at timestamptz not null default now(),
    error text,
    message_id text,
    detail text,                         -- JSON: inputs, exchanges, outputs
    primary key (instance_id, id)        -- store::history
) partition by range (instance_id);

-- Workers of before may have made no partitions yet, and a row without a place would fail the step.
create table attempts_rest partition of attempts default;

-- What accounts want to be kept of bodies; without a row it is redacted.
create table history_policies (
    account_id text primary key references accounts (id),
    bodies text not null check (bodies in ('keep', 'redact', 'hash')),
    headers text[] not null,             -- further ones that are never kept
    members text[] not null,             -- of JSON, likewise
    changed_at timestamptz not null default now()
);
