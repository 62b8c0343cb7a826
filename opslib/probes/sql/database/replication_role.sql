-- title: Is this a primary or a standby, and who is meant to follow?
SELECT /* opslib */
    pg_is_in_recovery() AS standby,
    current_setting('synchronous_standby_names') AS synchronous_standbys,
    (SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT temporary)::int AS physical_slots,
    (SELECT w.status FROM pg_stat_wal_receiver w LIMIT 1) AS receiver,
    (SELECT w.sender_host FROM pg_stat_wal_receiver w LIMIT 1) AS receives_from,
    CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() END AS replay,
    CASE WHEN pg_is_in_recovery()
         THEN pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::bigint END AS not_replayed_bytes,
    -- Grows on an idle primary too: it is the age of the last change seen, no lag.
    CASE WHEN pg_is_in_recovery()
         THEN round(extract(epoch FROM now() - pg_last_xact_replay_timestamp())::numeric, 1)::float8 END
        AS last_change_seconds,
    pg_size_bytes(current_setting('max_wal_size')) AS max_wal_bytes
