-- Counters that start now: the generating must not look like load.
select pg_stat_reset();
select extensions.pg_stat_statements_reset();
