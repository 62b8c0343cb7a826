-- title: Which replication slots exist, and how much WAL do they keep?
WITH /* opslib */ here AS (
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn
)
SELECT s.slot_name::text AS slot, s.slot_type AS type, s.database::text AS database, s.active, s.wal_status,
       pg_wal_lsn_diff(here.lsn, s.restart_lsn)::bigint AS kept_bytes,
       s.safe_wal_size AS left_bytes,
       round(extract(epoch FROM now() - (to_jsonb(s) ->> 'inactive_since')::timestamptz)::numeric)::float8
           AS inactive_seconds,
       to_jsonb(s) ->> 'invalidation_reason' AS invalidation,
       greatest(age(s.xmin), age(s.catalog_xmin)) AS holds_transactions,
       pg_size_bytes(current_setting('max_wal_size')) AS max_wal_bytes
FROM pg_replication_slots s, here
WHERE NOT s.temporary
ORDER BY kept_bytes DESC NULLS FIRST, slot
