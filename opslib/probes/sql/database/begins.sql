-- title: Does an ordinary session here begin read-only, and who said so?
SELECT /* opslib */ current_user::text AS asked_as, current_database()::text AS database,
       pg_is_in_recovery() AS standby, setting = 'on' AS read_only, source AS said_by
FROM pg_settings WHERE name = 'default_transaction_read_only'
