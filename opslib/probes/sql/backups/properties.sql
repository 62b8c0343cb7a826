-- title: What the database was created with
SELECT pg_encoding_to_char(encoding) AS encoding,
       CASE to_jsonb(d) ->> 'datlocprovider' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END AS provider,
       datcollate AS collate,
       datctype AS ctype,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
       to_jsonb(d) ->> 'daticurules' AS rules,
       pg_get_userbyid(datdba)::text AS owner,
       datconnlimit AS connection_limit
FROM pg_database d
WHERE datname = current_database()
