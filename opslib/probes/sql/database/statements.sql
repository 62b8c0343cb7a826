-- title: What did each statement cost since the statistics were reset?
SELECT /* opslib */
    s.userid::text || '/' || s.queryid::text AS statement_key,
    s.queryid::text AS query_id,
    pg_get_userbyid(s.userid)::text AS user_name,
    left(coalesce(s.query, ''), 1000) AS statement,
    s.calls, s.total_exec_time AS total_ms, s.mean_exec_time AS mean_ms, s.stddev_exec_time AS stddev_ms,
    s.min_exec_time AS min_ms, s.max_exec_time AS max_ms,
    s.rows, s.shared_blks_read AS blocks_read, s.temp_blks_written AS temporary_blocks,
    -- From 17 on minimum and maximum can be reset alone. Where the view lacks the columns, their names mean the
    -- empty ones joined below.
    coalesce((SELECT minmax_stats_since <= stats_since FROM (SELECT s.*) AS own), true) AS extremes_whole
FROM pg_stat_statements AS s
CROSS JOIN (SELECT NULL::timestamptz AS minmax_stats_since, NULL::timestamptz AS stats_since) AS older
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND s.toplevel
  AND s.calls > 0
  -- Our own questions: marked inside their text (from 18 on, a comment before a statement is not kept) …
  AND position('/* opslib */' IN coalesce(s.query, '')) = 0
  AND left(coalesce(s.query, ''), 9) <> '-- title:'
  -- … and the rest of the reading role's, if that role serves nobody else: it monitors and may not write.
  AND NOT (s.userid = (SELECT oid FROM pg_roles WHERE rolname = current_user AND NOT rolsuper)
           AND pg_has_role(current_user, 'pg_monitor', 'MEMBER')
           AND NOT has_database_privilege(current_database(), 'CREATE'))
