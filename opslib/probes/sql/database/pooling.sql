-- title: How many transactions does a session of this database make, as a pool makes many in each?
SELECT /* opslib */ datname::text AS database, sessions, sessions_abandoned AS abandoned,
       xact_commit + xact_rollback AS transactions,
       round(((xact_commit + xact_rollback) / nullif(sessions, 0)::numeric), 1)::float8 AS each,
       stats_reset,
       (SELECT count(*) FROM pg_stat_activity a
        WHERE a.datname = d.datname AND a.application_name ~* '^(supavisor|pgbouncer|pgcat|odyssey)') AS of_poolers
FROM pg_stat_database d WHERE datname = current_database()
