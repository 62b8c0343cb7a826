-- title: Extensions that the server could install
SELECT name::text AS name, default_version AS version FROM pg_available_extensions ORDER BY 1
