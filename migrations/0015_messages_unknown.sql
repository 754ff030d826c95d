-- no-transaction
create index concurrently if not exists messages_unknown on messages (give_up_at)
    where give_up_at is not null and state = 'started';       -- store::dispatches::find_overdue_messages
