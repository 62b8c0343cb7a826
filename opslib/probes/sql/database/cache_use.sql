-- title: How often was a page found in the server's own memory?
SELECT /* opslib */ datname::text AS database, blks_hit AS pages_found, blks_read AS pages_read,
       round(100.0 * blks_hit / nullif(blks_hit + blks_read, 0), 2)::float8 AS found_percent,
       CASE WHEN current_setting('track_io_timing')::boolean
            THEN round((blk_read_time / nullif(blks_read, 0))::numeric, 3)::float8 END AS read_ms_each,
       temp_bytes AS temporary_bytes, deadlocks, conflicts, stats_reset AS since
FROM pg_stat_database
WHERE datname IS NOT NULL AND datname NOT IN ('template0', 'template1')
ORDER BY blks_hit + blks_read DESC, datname
