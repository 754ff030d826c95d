-- Workflows of the Workflows API, and what their messages need besides.

set local lock_timeout = '3s';

create table dispatches (
    id uuid primary key,
    account_id text not null references accounts (id),
    instance_id bytea not null,          -- an instance of store::dispatches::DEFINITION
    flavour text not null check (flavour in ('dispatch', 'legacy')),
    application_id uuid,                 -- who asked, if not the account itself
    parent bytea,                        -- the instance whose step it is
    parent_key text,                     -- the correlation key that the step waits under
    outcome text check (outcome in ('completed', 'error', 'cancelled')),
    fate text check (fate in ('error', 'cancelled')),   -- what upkeep is to end it with, which its instance did not
    created_at timestamptz not null default now(),
    ended_at timestamptz,
    check ((parent is null) = (parent_key is null)),
    check ((outcome is null) = (ended_at is null))
);
create index dispatches_of_account on dispatches (account_id, created_at, id);
create unique index dispatches_instance on dispatches (instance_id);
create index dispatches_of_parent on dispatches (parent)
    where parent is not null;            -- store::dispatches::parent::live_children
create index dispatches_fated on dispatches (created_at)
    where fate is not null and outcome is null;          -- store::dispatches::fate::find_fated
create index dispatches_age on dispatches (created_at);        -- store::upkeep

-- `echo`: what is told with every status of a message of that API, as JSON: its parties, the client's reference,
-- its workflow, and in whose name it is told.
alter table messages
    add column echo text,
    add column provider_id text,         -- the provider's own id of it
    add column price text;               -- in euros, when the provider said it

alter table connectors
    drop constraint connectors_kind_check,
    add constraint connectors_kind_check check (kind in ('8x8', 'converse', 'messages-api'));
