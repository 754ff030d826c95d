//! What must hold of workflows of the Workflows API, of their messages, and of what is told of both.
//!
//! A workflow that was cancelled is not reported.

/// Statuses are looked back at for no longer than both they and what was told of them are certainly kept.
pub(super) const RULES: [(&str, &str); 7] = [
    (
        "a workflow is reported once if it has an outcome, and not before",
        "select d.id::text
         from dispatches d
         where (
             select count(*)
             from callbacks c
             where c.account_id = d.account_id and c.subject = d.id::text and c.event = 'report'
         ) <> case when d.outcome in ('completed', 'error') then 1 else 0 end",
    ),
    (
        "the instance of a workflow with an outcome has ended, or is at its last step",
        "select d.id::text
         from dispatches d
         join instances i on i.id = d.instance_id
         where d.outcome is not null and i.completed_at is null
             and not exists (select from jobs j where j.instance_id = i.id and j.step = 2)
             and not exists (select from waits w where w.instance_id = i.id and w.step = 2)",
    ),
    (
        "a workflow whose instance ended has an outcome, or is marked for one",
        "select d.id::text
         from dispatches d
         join instances i on i.id = d.instance_id
         where d.outcome is null and d.fate is null and i.completed_at is not null",
    ),
    (
        "a workflow without an outcome has its instance, or is marked for one",
        "select d.id::text
         from dispatches d
         where d.outcome is null and d.fate is null and not exists (select from instances i where i.id = d.instance_id)",
    ),
    (
        "of the calls about one subject the first is to be made, and the others wait behind it",
        "select subject
         from callbacks
         where state in ('pending', 'queued')
         group by account_id, subject
         having count(*) filter (where state = 'pending') <> 1
             or min(id) <> min(id) filter (where state = 'pending')",
    ),
    (
        "no message is behind what was told of it",
        "select m.umid
         from messages m
         join callbacks c on c.account_id = m.account_id and c.subject = m.umid
         where m.echo is not null
             and m.rank < case c.event
                 when 'submitted' then 1
                 when 'delivered' then 2
                 when 'read' then 3
                 when 'rejected' then 2
                 when 'undeliverable' then 2
             end",
    ),
    (
        "a status of a message is told once",
        "select e.dedupe_key
         from events e
         where e.dedupe_key like 'status:%' and e.received_at > now() - interval '6 days'
             and (
                 select count(*)
                 from callbacks c
                 where c.account_id = e.account_id and c.subject = split_part(e.dedupe_key, ':', 2)
                     and c.event = split_part(e.dedupe_key, ':', 3)
             ) <> 1",
    ),
];

#[cfg(test)]
mod tests {
    #[test]
    fn the_last_step_is_where_the_rules_look_for_it() {
        let steps = trunkline_workflow::dispatch::steps();
        assert_eq!(steps.as_array().unwrap().len(), 3);
        assert_eq!(steps[2]["stepType"], "ReportOutcome");
    }
}
