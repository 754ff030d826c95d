-- Every state that was told of a message or call; `messages` has the one that counts.

create table message_states (
    account_id text not null,
    umid text not null,
    id bigint generated always as identity,
    state text not null,
    error_code int,
    error_message text,
    changed_at timestamptz not null,
    received_at timestamptz not null default now(),
    primary key (account_id, umid, id)   -- store::history
);
create index message_states_received on message_states (received_at);  -- store::upkeep::prune
