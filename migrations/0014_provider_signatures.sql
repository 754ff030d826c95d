-- What the Messages API signs its webhooks with, where it signs them.

set local lock_timeout = '3s';

alter table connectors
    add column signature_secret text;        -- sealed
