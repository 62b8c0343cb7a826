-- title: What is bound to the live database itself and does not follow its name: logical slots, subscriptions
SELECT 'replication slot' AS kind, slot_name::text AS name
FROM pg_replication_slots
WHERE database = current_database()
UNION ALL
SELECT 'subscription', subname::text
FROM pg_subscription
WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY 1, 2
