-- no-transaction
create index concurrently if not exists messages_client on messages (account_id, client_key)
    where client_key is not null;   -- store::messages::find_call
