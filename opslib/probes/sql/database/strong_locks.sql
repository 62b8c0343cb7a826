-- title: Who holds a lock on a table that keeps others from changing it, and for how long?
SELECT /* opslib */ l.pid, coalesce(nullif(a.application_name, ''), a.backend_type, 'prepared transaction') AS application,
       l.mode,
       CASE WHEN l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            THEN l.relation::regclass::text ELSE l.relation::text END AS relation,
       coalesce(a.state, 'unknown') AS state,
       round(extract(epoch FROM clock_timestamp() - a.xact_start)::numeric, 1)::float8 AS transaction_seconds,
       (SELECT count(*) FROM pg_locks w WHERE NOT w.granted AND w.relation = l.relation AND w.database = l.database)::int
           AS waiting,
       left(a.query, 1000) AS statement
FROM pg_locks l
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.locktype = 'relation' AND l.pid IS DISTINCT FROM pg_backend_pid()
  -- Reading and writing rows takes the three weaker ones, of which there are thousands.
  AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
ORDER BY waiting DESC, transaction_seconds DESC NULLS FIRST, l.pid, relation
LIMIT 50
