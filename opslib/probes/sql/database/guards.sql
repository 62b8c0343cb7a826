-- title: Which time-outs hold for each role that applications use?
WITH /* opslib */ guards AS (
    SELECT name, reset_val, unit FROM pg_settings
    WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout', 'lock_timeout')
), own AS (
    SELECT setrole, setdatabase, split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS value
    FROM pg_db_role_setting, unnest(setconfig) AS setting
), here AS (
    SELECT oid FROM pg_database WHERE datname = current_database()
), roles AS (
    -- Who can log in, or is switched to by the API gateway; not who is only ever an administrator.
    SELECT r.oid, r.rolname, r.rolcanlogin
    FROM pg_roles r
    WHERE (r.rolcanlogin OR r.rolname IN ('anon', 'authenticated', 'service_role'))
      AND NOT r.rolsuper AND NOT r.rolreplication AND r.rolname <> current_user
)
SELECT r.rolname::text AS role, r.rolcanlogin AS logs_in, g.name AS guard,
       coalesce(
           (SELECT o.value FROM own o WHERE o.name = g.name AND o.setrole = r.oid AND o.setdatabase = (SELECT oid FROM here)),
           (SELECT o.value FROM own o WHERE o.name = g.name AND o.setrole = r.oid AND o.setdatabase = 0),
           (SELECT o.value FROM own o WHERE o.name = g.name AND o.setrole = 0 AND o.setdatabase = (SELECT oid FROM here)),
           g.reset_val || CASE g.reset_val WHEN '0' THEN '' ELSE g.unit END) AS value,
       EXISTS (SELECT FROM own o WHERE o.name = g.name AND o.setrole = r.oid) AS set_for_the_role
FROM roles r CROSS JOIN guards g
ORDER BY role, guard
