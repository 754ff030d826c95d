-- Definitions that somebody paused or drains. Rows stay, so that whoever looks for what changed sees them run again.

set local lock_timeout = '3s';

create table definition_states (
    account_id text not null,
    definition_id uuid not null,
    state text not null check (state in ('running', 'paused', 'draining')),
    changed_at timestamptz not null default clock_timestamp(),
    primary key (account_id, definition_id),
    foreign key (account_id, definition_id) references definitions (account_id, id) on delete cascade
);
create index definition_states_changed on definition_states (changed_at);  -- store::limits::changed_limits
