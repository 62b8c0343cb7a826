-- title: Since when do the statement statistics count, and how many statements were thrown out?
SELECT /* opslib */ stats_reset AS since, dealloc AS thrown_out, clock_timestamp() AS taken_at
FROM pg_stat_statements_info
