-- title: Which lines are no text at all, or too long for one?
SELECT inputs.stream, error_type::VARCHAR AS why, count(*) AS lines, min(line) AS first_line
FROM reject_errors
JOIN reject_scans USING (scan_id, file_id)
JOIN inputs ON inputs.path = reject_scans.file_path
GROUP BY ALL
ORDER BY lines DESC, stream, why
LIMIT 20
