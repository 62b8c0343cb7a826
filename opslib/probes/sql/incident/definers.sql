-- title: Functions that run with their owner's rights, and who may call them
SELECT /* opslib */ format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) AS name,
       pg_get_userbyid(p.proowner)::text AS owner,
       EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE c LIKE 'search\_path=%') AS path_fixed,
       has_function_privilege('public', p.oid, 'EXECUTE') AS by_everybody
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prosecdef AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e
                  WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')
ORDER BY 1
