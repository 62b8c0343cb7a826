-- title: Every session of the server, with its statement
SELECT /* opslib */ jsonb_build_object(
           'pid', pid, 'database', datname, 'role', usename, 'application', application_name,
           'address', host(client_addr), 'port', client_port, 'backend', backend_type,
           'began', backend_start, 'transaction_began', xact_start, 'statement_began', query_start,
           'state', state, 'waits_for', wait_event_type, 'statement', query) AS row,
       (SELECT count(*) FROM pg_stat_activity) AS of_all
FROM pg_stat_activity
ORDER BY backend_start
LIMIT %(most)s
