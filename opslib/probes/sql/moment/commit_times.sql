-- title: When were these transactions committed, as this server has it?
SELECT /* opslib */ x AS xid,
       CASE WHEN current_setting('track_commit_timestamp')::bool THEN pg_xact_commit_timestamp(x::xid) END AS at
FROM unnest(%(xids)s::text[]) AS x
