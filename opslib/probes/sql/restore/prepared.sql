-- title: Prepared transactions in the live database, which keep it from being renamed
SELECT gid AS name FROM pg_prepared_xacts WHERE database = current_database() ORDER BY 1
