-- title: Through which slot does this standby follow?
SELECT /* opslib */ coalesce(current_setting('primary_slot_name'), '') AS slot
