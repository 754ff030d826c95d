-- A claim takes all rows of a page at once, and so does a completion: as many new versions as rows have to find room in
-- it, or what follows is no longer in place and every index gets an entry.
set local lock_timeout = '3s';
alter table jobs set (fillfactor = 50);
