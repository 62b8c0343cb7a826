-- title: Which relations does this session's transaction hold, and how strongly?
SELECT /* opslib */ l.relation::bigint AS oid, l.mode
FROM pg_locks l
WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted
  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
