-- title: What the database's clock says
SELECT /* opslib */ clock_timestamp() AS moment
