//! What must hold of what was heard and of what was done, as it was written down.

/// What is forgotten by upkeep is looked back at for no longer than it is certainly kept.
pub(super) const RULES: [(&str, &str); 4] = [
    (
        "what an event started or resumed is there",
        "select u.event_id || ' ' || encode(u.instance_id, 'hex')
         from event_uses u
         join events e on e.id = u.event_id
         join definitions d on d.account_id = e.account_id and d.id = u.definition_id
         where e.received_at > now() - interval '1 hour' and d.newest_version is not null
             and not exists (select from instances i where i.id = u.instance_id)
             -- What belonged to it is removed with it.
             and not exists (
                 select from definition_versions v
                 where v.account_id = d.account_id and v.definition_id = d.id and v.deleted_at is not null
             )
             and (
                 select count(*) from definition_versions v
                 where v.account_id = d.account_id and v.definition_id = d.id
             ) = d.last_version",
    ),
    (
        "a job came to its end once, in what is told of its attempts",
        "select encode(instance_id, 'hex')
         from attempts
         where outcome in ('completed', 'failed')
         group by instance_id, n
         having count(*) > 1",
    ),
    (
        "no message is behind a receipt that came for it",
        "select m.umid
         from messages m
         join message_states t on t.account_id = m.account_id and t.umid = m.umid
         where m.echo is null and m.channel is distinct from 'voice'
             and m.rank < case t.state
                 when 'queued' then 1
                 when 'accepted' then 1
                 when 'ok' then 1
                 when 'sent' then 2
                 when 'delivered' then 3
                 when 'undelivered' then 3
                 when 'failed' then 3
                 when 'rejected' then 3
                 when 'error' then 3
                 when 'read' then 4
             end",
    ),
    (
        "nothing of an instance is begun after its end",
        // A claim that began just before the end may wait for a moment.
        "select encode(i.id, 'hex')
         from instances i
         join steps s on s.instance_id = i.id
         where s.started_at > i.completed_at + interval '1 minute'
         union all
         select encode(i.id, 'hex')
         from instances i
         join attempts a on a.instance_id = i.id
         where a.started_at > i.completed_at + interval '1 minute'",
    ),
];
