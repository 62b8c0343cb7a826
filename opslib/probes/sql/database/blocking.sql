-- title: Which sessions wait for a lock, and which sessions do they wait for?
WITH RECURSIVE /* opslib */ waiting AS MATERIALIZED (
    SELECT a.pid, array(SELECT DISTINCT b FROM unnest(pg_blocking_pids(a.pid)) AS b ORDER BY b) AS blocked_by
    FROM pg_stat_activity a
    WHERE a.wait_event_type = 'Lock'
), edges AS MATERIALIZED (
    SELECT pid AS waiter, blocker FROM waiting, unnest(blocked_by) AS blocker
), chain (root, pid) AS (
    -- UNION, not UNION ALL: each pair once, so that a circle of waiters ends.
    SELECT e.blocker, e.waiter FROM edges e
    UNION
    SELECT c.root, e.waiter FROM chain c JOIN edges e ON e.blocker = c.pid
), involved AS (
    SELECT waiter AS pid FROM edges UNION SELECT blocker FROM edges
), wanted AS (
    SELECT DISTINCT ON (l.pid) l.pid, l.waitstart,
           l.mode || ' on ' || CASE
               WHEN l.relation IS NULL THEN l.locktype
               WHEN l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
               THEN l.locktype || ' ' || l.relation::regclass::text
               ELSE l.locktype || ' ' || l.relation::text END AS lock
    FROM pg_locks l JOIN involved i ON i.pid = l.pid
    WHERE NOT l.granted
    ORDER BY l.pid, l.waitstart
), wait AS (
    SELECT i.pid, extract(epoch FROM clock_timestamp() - coalesce(w.waitstart, a.state_change))::float8 AS seconds
    FROM involved i
    JOIN waiting ON waiting.pid = i.pid
    LEFT JOIN wanted w ON w.pid = i.pid
    LEFT JOIN pg_stat_activity a ON a.pid = i.pid
)
SELECT i.pid,
       coalesce(nullif(a.application_name, ''), a.backend_type, 'prepared transaction') AS application,
       coalesce(a.state, CASE WHEN i.pid = 0 THEN 'prepared transaction' ELSE 'unknown' END) AS state,
       round(wait.seconds::numeric, 1)::float8 AS waiting_seconds,
       w.lock AS waits_for,
       coalesce(waiting.blocked_by, '{}') AS blocked_by,
       (SELECT count(DISTINCT c.pid) FROM chain c WHERE c.root = i.pid AND c.pid <> i.pid)::int AS victims,
       (SELECT round(coalesce(sum(v.seconds), 0)::numeric, 1) FROM wait v
        WHERE v.pid <> i.pid AND v.pid IN (SELECT c.pid FROM chain c WHERE c.root = i.pid))::float8 AS victims_seconds,
       round(extract(epoch FROM clock_timestamp() - a.xact_start)::numeric, 1)::float8 AS transaction_seconds,
       left(a.query, 1000) AS statement,
       a.usename::text AS user_name,
       a.datname::text AS database,
       a.backend_start
FROM involved i
LEFT JOIN pg_stat_activity a ON a.pid = i.pid
LEFT JOIN waiting ON waiting.pid = i.pid
LEFT JOIN wanted w ON w.pid = i.pid
LEFT JOIN wait ON wait.pid = i.pid
ORDER BY victims_seconds DESC, i.pid
