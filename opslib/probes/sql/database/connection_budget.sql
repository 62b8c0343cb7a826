-- title: How much of each connection limit is in use?
WITH /* opslib */ sessions AS MATERIALIZED (
    SELECT datname, usename, state
    FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
), server AS (
    -- Slots kept for superusers and (from 16) for pg_use_reserved_connections are no headroom of the application.
    SELECT current_setting('max_connections')::int AS slots,
           current_setting('superuser_reserved_connections')::int
           + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved
), budgets AS (
    SELECT 1 AS rank, 'server' AS budget, NULL::name AS datname, NULL::name AS usename, slots, reserved FROM server
    UNION ALL
    SELECT 2, 'database ' || datname, datname, NULL, datconnlimit, 0 FROM pg_database WHERE datconnlimit > 0
    UNION ALL
    SELECT 3, 'role ' || rolname, NULL, rolname, rolconnlimit, 0
    FROM pg_roles WHERE rolconnlimit > 0 AND rolcanlogin
)
SELECT b.budget,
       count(s.*)::int AS used,
       b.slots - b.reserved AS usable,
       b.slots, b.reserved,
       round(100.0 * count(s.*) / greatest(b.slots - b.reserved, 1), 1)::float8 AS used_percent,
       count(s.*) FILTER (WHERE s.state = 'active')::int AS active,
       count(s.*) FILTER (WHERE s.state = 'idle')::int AS idle,
       count(s.*) FILTER (WHERE s.state LIKE 'idle in transaction%')::int AS idle_in_transaction,
       count(s.*) FILTER (WHERE s.state IS NULL OR s.state IN ('disabled', 'fastpath function call', 'starting'))::int
           AS other
FROM budgets b
LEFT JOIN sessions s ON (b.datname IS NULL OR s.datname = b.datname) AND (b.usename IS NULL OR s.usename = b.usename)
GROUP BY b.rank, b.budget, b.slots, b.reserved
ORDER BY b.rank, used_percent DESC, b.budget
