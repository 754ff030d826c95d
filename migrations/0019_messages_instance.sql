-- no-transaction
create index concurrently if not exists messages_instance on messages (instance_id, n)
    where instance_id is not null;       -- store::dispatches::messages_of, store::explain
