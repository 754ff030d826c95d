-- Workflows that a step of another instance started, and is told the end of.

set local lock_timeout = '3s';

alter table dispatches
    add column parent bytea,             -- the instance whose step it is
    add column parent_key text,          -- the correlation key that the step waits under
    add constraint dispatches_parent_check check ((parent is null) = (parent_key is null));
create index dispatches_of_parent on dispatches (parent)
    where parent is not null;            -- store::dispatches::parent::live_children
