-- title: Would this primary let that role in, and does it still keep that slot?
SELECT /* opslib */
    pg_is_in_recovery() AS standby,
    r.rolname IS NOT NULL AS known,
    coalesce(r.rolcanlogin, false) AS logs_in,
    coalesce(r.rolreplication OR r.rolsuper, false) AS replicates,
    coalesce(r.rolvaliduntil < now(), false) AS expired,
    r.rolvaliduntil::text AS valid_until,
    coalesce(r.rolconnlimit, -1) AS connections_at_most,
    s.slot_name IS NOT NULL AS slot_there,
    s.slot_type::text AS slot_type,
    coalesce(s.active, false) AS slot_used,
    s.wal_status,
    current_setting('max_wal_senders')::int AS senders_at_most,
    (SELECT count(*) FROM pg_stat_replication)::int AS senders
FROM (SELECT 1) AS one
LEFT JOIN pg_roles r ON r.rolname = %(role)s
LEFT JOIN pg_replication_slots s ON s.slot_name = %(slot)s
