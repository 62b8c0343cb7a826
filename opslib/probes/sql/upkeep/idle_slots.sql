-- title: Which replication slots have no consumer just now, and what does each keep?
SELECT /* opslib */ s.slot_name::text AS slot, s.slot_type AS type, coalesce(s.plugin::text, '') AS plugin,
       coalesce(s.database::text, '') AS database, s.restart_lsn::text AS keeps_from,
       pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::bigint AS kept_bytes,
       round(extract(epoch FROM now() - (to_jsonb(s) ->> 'inactive_since')::timestamptz)::numeric)::float8
           AS idle_seconds,
       s.wal_status
FROM pg_replication_slots s
WHERE NOT s.active AND NOT s.temporary
ORDER BY kept_bytes DESC NULLS LAST, slot
