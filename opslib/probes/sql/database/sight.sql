-- title: May this session see everybody's sessions, and is this a standby?
SELECT /* opslib */ pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all,
       pg_is_in_recovery() AS standby, current_user::text AS asked_as
