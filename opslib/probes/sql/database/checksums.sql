-- title: Did the server find damaged pages?
SELECT /* opslib */ coalesce(datname::text, '(shared tables)') AS database, checksum_failures,
       checksum_last_failure, current_setting('data_checksums') AS checksums
FROM pg_stat_database
WHERE datname IS NULL OR datname NOT IN ('template0')
ORDER BY checksum_failures DESC NULLS LAST, 1
