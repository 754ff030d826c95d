-- no-transaction
create index concurrently if not exists messages_call on messages (account_id, call_key)
    where call_key is not null;   -- store::messages::find_call
