-- no-transaction
create index concurrently if not exists messages_provider on messages (account_id, provider_id)
    where provider_id is not null;       -- store::dispatches::find_by_provider_id
