-- title: What is the last commit that this server has, and whom would its commits wait for?
SELECT /* opslib */ pg_is_in_recovery() AS standby,
       pg_last_xact_replay_timestamp() AS last_commit_at,
       pg_wal_lsn_diff(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), '0/0')::bigint AS received_bytes,
       current_setting('synchronous_standby_names') AS waits_for
