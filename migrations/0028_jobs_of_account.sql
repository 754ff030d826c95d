-- no-transaction
-- The ready jobs of an account. Beside jobs_ready, not instead of it: in quiet hours a claim takes whatever became
-- ready, whoever it is for, and by account it could not skip the entries of jobs that are done without naming every
-- account; workers of the release before claim by it too. This one is for the hours in which there is more to do than
-- is taken, when accounts take turns. It costs a job one entry more when it becomes ready, and nothing from step to
-- step. The predicate says the same in other words, so that neither claim can be planned through the other's index:
-- to the planner all accounts look alike, and it would walk through one account's flood to find another's job.
create index concurrently if not exists jobs_of_account on jobs (account_id, ready_at)
    where coalesce(worker, 0) = 0 and not queued and not held;  -- store::jobs::claim_shares, find_waiting
