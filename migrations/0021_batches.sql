-- What is done to many instances.

create table batches (
    id uuid primary key,
    account_id text not null references accounts (id),
    action text not null check (action in ('rerun', 'suspend', 'resume', 'terminate')),
    choice text,                         -- of a re-run: how, as JSON
    filter text,                         -- as it was asked for, JSON; null: ids were given
    state text not null default 'running' check (state in ('running', 'paused', 'aborted', 'done')),
    rate int not null check (rate between 1 and 1000),                 -- items a second
    concurrency int not null check (concurrency between 1 and 16),     -- items at the same time
    actor_kind text not null,
    actor_id text,
    actor_name text,
    reason text,
    total int not null default 0,
    done int,                            -- these three of one that has ended; until then they are counted
    skipped int,
    failed int,
    next_at timestamptz not null default now(),  -- the rate allows nothing before
    created_at timestamptz not null default now(),
    ended_at timestamptz,
    check ((action = 'rerun') = (choice is not null)),
    check ((ended_at is not null) = (state in ('aborted', 'done'))),
    check ((ended_at is not null) = (done is not null and skipped is not null and failed is not null))
);
create index batches_of_account on batches (account_id, created_at, id);     -- store::batches::list_batches
create index batches_running on batches (next_at) where state = 'running';   -- store::batches::carry_out
create index batches_ended on batches (ended_at) where ended_at is not null; -- store::batches::prune_batches

-- The instances, as they were found when the batch was made. An item is decided in the transaction of what is done.
create table batch_items (
    batch_id uuid not null references batches (id) on delete cascade,
    n int not null,
    instance_id bytea not null,
    state text not null default 'pending' check (state in ('pending', 'done', 'skipped', 'failed')),
    reason text,                         -- why it was skipped or failed
    rerun bytea,                         -- the new instance
    decided_at timestamptz,
    primary key (batch_id, n),
    check ((state = 'pending') = (decided_at is null)),
    check ((state in ('skipped', 'failed')) = (reason is not null))
);
create index batch_items_state on batch_items (batch_id, state, n);          -- store::batches

alter table reruns add column batch_id uuid;   -- the batch that it is a part of
