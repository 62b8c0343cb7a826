-- title: In which role is this server, how far has it come, and does its write-ahead log get away?
WITH /* opslib */ role AS (
    SELECT pg_is_in_recovery() AS standby
), place AS (
    SELECT standby,
           CASE WHEN standby THEN pg_last_wal_receive_lsn() END AS received,
           CASE WHEN standby THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END AS lsn
    FROM role
), kept AS (
    SELECT count(*) FILTER (WHERE name LIKE '%.ready')::int AS waiting FROM pg_ls_archive_statusdir()
)
SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
       p.standby,
       -- The control file's timeline is that of the last checkpoint: a server that was just promoted still shows the old one.
       CASE WHEN p.standby
            THEN coalesce(w.received_tli, nullif(r.min_recovery_end_timeline, 0),
                          (SELECT timeline_id FROM pg_control_checkpoint()))
            ELSE ('x' || left(pg_walfile_name(p.lsn), 8))::bit(32)::int END AS timeline,
       p.lsn::text AS lsn,
       pg_wal_lsn_diff(p.lsn, '0/0')::bigint AS position_bytes,
       pg_wal_lsn_diff(greatest(p.received, p.lsn), '0/0')::bigint AS received_bytes,
       CASE WHEN p.standby THEN pg_wal_lsn_diff(greatest(p.received, p.lsn), p.lsn)::bigint END AS not_replayed_bytes,
       w.status AS receiver,
       w.sender_host || ':' || w.sender_port AS receives_from,
       round(extract(epoch FROM clock_timestamp() - w.last_msg_receipt_time)::numeric, 1)::float8 AS heard_seconds,
       CASE WHEN p.standby THEN pg_get_wal_replay_pause_state() END AS replay,
       CASE WHEN p.standby
            THEN round(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::numeric, 1)::float8 END
           AS last_commit_seconds,
       (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming')::int AS followers,
       (SELECT max(extract(epoch FROM replay_lag))::float8 FROM pg_stat_replication) AS replay_lag_seconds,
       EXISTS (SELECT FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')) AS synchronous,
       current_setting('archive_mode') <> 'off' AS keeps_log,
       extract(epoch FROM current_setting('archive_timeout')::interval)::float8 AS keeps_every_seconds,
       a.last_archived_wal AS last_kept,
       round(extract(epoch FROM clock_timestamp() - a.last_archived_time)::numeric, 1)::float8 AS last_kept_seconds,
       a.last_failed_wal AS last_failed,
       round(extract(epoch FROM clock_timestamp() - a.last_failed_time)::numeric, 1)::float8 AS last_failed_seconds,
       k.waiting AS waiting_pieces,
       (SELECT bytes_per_wal_segment FROM pg_control_init()) AS piece_bytes,
       pg_size_bytes(current_setting('max_wal_size')) AS max_wal_bytes
FROM place p CROSS JOIN kept k CROSS JOIN pg_stat_archiver a CROSS JOIN pg_control_recovery() r
LEFT JOIN pg_stat_wal_receiver w ON true
