-- Events of every kind: messages, keys pressed in calls, receipts. And what became of everything we sent.

set local lock_timeout = '3s';

alter table definition_versions
    drop constraint definition_versions_trigger_check,
    add constraint definition_versions_trigger_check
        check (trigger in ('inbound_sms', 'inbound_chat_apps', 'http_request', 'delivery_receipt', 'schedule')) not valid;

-- `trigger` is null for events that only waits care about; `state` is a receipt's.
alter table events
    alter column trigger drop not null,
    add column state text,
    add column exclusive boolean not null default false;  -- it is for one wait alone (U-18)

-- `accepts`: the states of a receipt that end the wait; null: any event with the key does.
alter table waits
    drop constraint waits_kind_check,
    add constraint waits_kind_check check (kind in ('timer', 'reply', 'dtmf', 'receipt', 'retry', 'body')) not valid,
    drop constraint waits_check1,
    add constraint waits_key_check check ((kind in ('reply', 'dtmf', 'receipt')) = (key is not null)) not valid,
    add column accepts text[],
    add constraint waits_accepts_check check (accepts is null or kind = 'receipt') not valid;

-- Messages and calls. What we know of one comes from two sides in any order: the answer to the send (who
-- sent it; of a call the correlation keys that its key presses may come under) and receipts.
alter table messages
    add column instance_id bytea,
    add column n int,                    -- with the instance: the job that sent it
    add column client_id text,           -- of a call: its `clientRequestId`
    add column call_key text,
    add column client_key text,
    add column destination text,         -- of a call
    add column report text;              -- the newest receipt or summary, whole
