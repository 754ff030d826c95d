-- What we tell customers at addresses of theirs: each call is a durable job of its own.

set local lock_timeout = '3s';

-- `due_at` is when the call may be made; while a worker makes it, when another may. It is null when the call is
-- behind another one of its subject (`queued`), and when it is over.
create table callbacks (
    id bigint generated always as identity primary key,
    account_id text not null references accounts (id),
    subject text not null,               -- calls about one are made one after the other: the id of a message
    event text not null,                 -- once per subject: the status it reached
    signer uuid,                         -- the application in whose name it is signed
    url text,                            -- null: nobody is told
    body text not null,
    state text not null check (state in ('pending', 'queued', 'delivered', 'given_up', 'skipped')),
    attempts int not null default 0,
    created_at timestamptz not null default now(),
    first_attempt_at timestamptz,
    due_at timestamptz,
    answer text,                         -- what came of the last attempt
    check ((state = 'pending') = (due_at is not null)),
    check ((url is null) = (state = 'skipped')),
    unique (account_id, subject, event)
);
create index callbacks_due on callbacks (due_at)
    where due_at is not null;            -- store::callbacks::claim_callbacks
create index callbacks_age on callbacks (created_at);   -- store::upkeep
