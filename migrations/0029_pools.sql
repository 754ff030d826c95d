-- Which jobs a worker takes. Workers of before take all.

set local lock_timeout = '3s';

alter table workers
    add column accounts text[],          -- null: of all but these
    add column except_accounts text[];
