-- no-transaction
-- The ready jobs of a step type. A job is in it once a worker that takes only some types has asked what its step is; an
-- installation without such workers never has an entry, and its claims are planned as before: nothing that they say
-- implies `step_type is not null`. The predicate spells the rest in words of its own, so that claims by type are not
-- planned through an index of all jobs.
create index concurrently if not exists jobs_of_step on jobs (step_type, account_id, ready_at)
    where step_type is not null and coalesce(worker, -1) < 0 and not queued and not held;  -- store::jobs::of_steps
