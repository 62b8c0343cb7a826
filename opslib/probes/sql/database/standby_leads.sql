-- title: As whom, from where and through which slot does this standby ask for the log?
SELECT /* opslib */
    pg_is_in_recovery() AS standby,
    -- Never the whole of it: it may hold a password.
    substring(current_setting('primary_conninfo') FROM '(?:^|\s)user\s*=\s*''?([^''\s]+)') AS role,
    substring(current_setting('primary_conninfo') FROM '(?:^|\s)host\s*=\s*''?([^''\s]+)') AS host,
    substring(current_setting('primary_conninfo') FROM '(?:^|\s)port\s*=\s*''?([^''\s]+)') AS port,
    current_setting('primary_slot_name') AS slot,
    (SELECT w.status FROM pg_stat_wal_receiver w LIMIT 1) AS receiver
