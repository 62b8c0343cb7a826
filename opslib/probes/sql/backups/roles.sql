-- title: Roles that own something in the database or are named in its rights and policies
SELECT DISTINCT r.rolname::text AS name
FROM pg_roles r
WHERE r.rolname NOT LIKE 'pg\_%'
  AND (r.oid IN (SELECT datdba FROM pg_database WHERE datname = current_database())
    OR r.oid IN (SELECT relowner FROM pg_class)
    OR r.oid IN (SELECT nspowner FROM pg_namespace)
    OR r.oid IN (SELECT proowner FROM pg_proc)
    OR r.oid IN (SELECT setrole FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
                 WHERE d.datname = current_database())
    OR r.oid IN (SELECT s.refobjid FROM pg_shdepend s JOIN pg_database d ON d.datname = current_database()
                 WHERE s.refclassid = 'pg_authid'::regclass
                   AND (s.dbid = d.oid OR (s.classid = 'pg_database'::regclass AND s.objid = d.oid))))
ORDER BY 1
