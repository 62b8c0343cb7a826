-- title: Who keeps dead rows from being removed?
WITH /* opslib */ holders AS (
    -- A lazy VACUUM ignores its own snapshot and other vacuums'; ANALYZE and all else hold the horizon.
    SELECT 'session' AS holder, 'pid ' || a.pid || coalesce(', ' || nullif(a.application_name, ''), '') AS name,
           coalesce(a.state, a.backend_type) AS state,
           greatest(age(a.backend_xmin), age(a.backend_xid)) AS transactions,
           extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
    FROM pg_stat_activity a
    WHERE (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
      AND a.pid <> pg_backend_pid()
      AND a.backend_type <> 'walsender'
      AND a.pid NOT IN (SELECT v.pid FROM pg_stat_progress_vacuum v)
    UNION ALL
    SELECT 'prepared transaction', p.gid, p.owner::text || ' in ' || p.database::text,
           age(p.transaction), extract(epoch FROM clock_timestamp() - p.prepared)::float8
    FROM pg_prepared_xacts p
    UNION ALL
    SELECT 'replication slot', s.slot_name::text, CASE WHEN s.active THEN 'active' ELSE 'inactive' END,
           greatest(age(s.xmin), age(s.catalog_xmin)),
           extract(epoch FROM clock_timestamp() - (to_jsonb(s) ->> 'inactive_since')::timestamptz)::float8
    FROM pg_replication_slots s
    WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL
    UNION ALL
    SELECT 'standby feedback', coalesce(nullif(r.application_name, ''), 'pid ' || r.pid), r.state,
           age(r.backend_xmin), NULL
    FROM pg_stat_replication r
    WHERE r.backend_xmin IS NOT NULL
)
SELECT holder, name, state, transactions, round(seconds::numeric, 1)::float8 AS seconds
FROM holders
ORDER BY transactions DESC NULLS LAST, seconds DESC NULLS LAST
LIMIT 50
