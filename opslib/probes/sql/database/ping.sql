-- title: Does the server answer at all?
SELECT /* opslib */ 1 AS answer
