-- title: Which locks on tables are held by sessions that others wait for?
WITH /* opslib */ blockers AS MATERIALIZED (
    SELECT DISTINCT unnest(pg_blocking_pids(pid)) AS pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'
)
SELECT l.pid, l.mode, count(*)::int AS relations,
       (array_agg(DISTINCT CASE WHEN l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                                THEN l.relation::regclass::text ELSE l.relation::text END))[1:5] AS first_relations
FROM pg_locks l JOIN blockers b ON b.pid = l.pid
WHERE l.granted AND l.locktype = 'relation'
GROUP BY l.pid, l.mode
ORDER BY l.pid, l.mode
