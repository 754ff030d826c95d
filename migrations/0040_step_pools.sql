-- Which types of steps a worker takes, and of which type a ready job's step is. Workers of before take all types.

set local lock_timeout = '3s';

alter table jobs add column step_type text;  -- store::jobs::sort; null: nobody asked
alter table workers
    add column steps text[],             -- null: all but these
    add column except_steps text[];
