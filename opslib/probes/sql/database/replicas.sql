-- title: Which standbys receive from this server, and how many bytes are they behind?
WITH /* opslib */ here AS (
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END AS lsn
)
SELECT coalesce(nullif(r.application_name, ''), 'pid ' || r.pid) AS standby,
       coalesce(host(r.client_addr), 'local') AS address,
       r.state, r.sync_state,
       pg_wal_lsn_diff(here.lsn, r.sent_lsn)::bigint AS not_sent_bytes,
       pg_wal_lsn_diff(here.lsn, r.flush_lsn)::bigint AS not_flushed_bytes,
       pg_wal_lsn_diff(here.lsn, r.replay_lsn)::bigint AS not_replayed_bytes,
       round(extract(epoch FROM r.replay_lag)::numeric, 3)::float8 AS replay_lag_seconds,
       round(extract(epoch FROM now() - r.reply_time)::numeric, 1)::float8 AS last_reply_seconds,
       pg_size_bytes(current_setting('max_wal_size')) AS max_wal_bytes
FROM pg_stat_replication r, here
WHERE r.state IS DISTINCT FROM 'backup'
ORDER BY not_replayed_bytes DESC NULLS FIRST
