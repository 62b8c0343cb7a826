-- title: How far is the oldest unfrozen row from transaction number wraparound?
WITH /* opslib */ tables AS (
    SELECT c.oid, n.nspname || '.' || c.relname AS name,
           greatest(age(c.relfrozenxid), age(t.relfrozenxid)) AS transactions,
           greatest(mxid_age(c.relminmxid), mxid_age(t.relminmxid)) AS multixacts,
           (SELECT option_value::bigint FROM pg_options_to_table(c.reloptions)
            WHERE option_name = 'autovacuum_freeze_max_age') AS own_limit,
           age(t.relfrozenxid) > age(c.relfrozenxid) AS toast_is_older
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
    WHERE c.relkind IN ('r', 'm')
), things AS (
    SELECT 'database' AS kind, datname::text AS name, age(datfrozenxid) AS transactions,
           mxid_age(datminmxid) AS multixacts, NULL::bigint AS own_limit
    FROM pg_database
    UNION ALL
    SELECT CASE WHEN toast_is_older THEN 'table (its TOAST)' ELSE 'table' END, name, transactions, multixacts, own_limit
    FROM tables
)
SELECT kind, name, transactions, multixacts,
       least(own_limit, current_setting('autovacuum_freeze_max_age')::bigint) AS transactions_limit,
       current_setting('autovacuum_multixact_freeze_max_age')::bigint AS multixacts_limit
FROM things
-- The worst by either number, against the limit that autovacuum has promised to keep.
ORDER BY greatest(transactions::float8 / least(own_limit, current_setting('autovacuum_freeze_max_age')::bigint),
                  multixacts::float8 / current_setting('autovacuum_multixact_freeze_max_age')::bigint) DESC
LIMIT 20
