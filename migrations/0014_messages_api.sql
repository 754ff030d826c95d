-- What the Messages API signs its webhooks with, where it signs them; and messages that it may not have.

set local lock_timeout = '3s';

alter table connectors
    add column signature_secret text;        -- sealed

-- The last message of a workflow, of which nobody knows whether it was sent: refused then, unless it has a status.
alter table messages
    add column give_up_at timestamptz;
