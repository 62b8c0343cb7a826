"""What is asked of the team's index of archived runs, in SQL; its tables are in :mod:`opslib.systems.index_tables`."""

PUT = (
    "INSERT INTO opslib_index.runs "
    "(number, archive, run, started, notebook, environment, mode, who, state, verdict, words, said) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
PUT_LINE = (
    "INSERT INTO opslib_index.lines (run, place, environment, notebook, kind, name, text, verdict, value, unit, "
    "warning, critical, above) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
PUT_DAY = (
    "INSERT INTO opslib_index.days (day, archive, runs, first, last) VALUES (%s, %s, %s, %s, %s) "
    "ON CONFLICT (day, archive) DO UPDATE SET runs = days.runs + excluded.runs, "
    "first = least(days.first, excluded.first), last = greatest(days.last, excluded.last)"
)
TAKE = (
    "WITH gone AS (DELETE FROM opslib_index.runs "
    "WHERE archive = %(archive)s AND run = ANY(%(runs)s) RETURNING number), "
    "counted AS (SELECT number / %(day)s AS day, count(*) AS runs FROM gone GROUP BY 1) "
    "UPDATE opslib_index.days d SET runs = d.runs - c.runs FROM counted c "
    "WHERE d.day = c.day AND d.archive = %(archive)s"
)
TAKE_SOME = (
    "DELETE FROM opslib_index.runs WHERE number IN "
    "(SELECT number FROM opslib_index.runs WHERE archive = %s ORDER BY archive, run LIMIT %s)"
)
# As a list: joined to the function, the server might read all runs for a few of them.
FOUND = (
    "SELECT r.number, r.run, r.started, r.notebook, r.environment, r.mode, r.who, r.state, r.verdict, "
    "a.archive, a.place FROM opslib_index.runs r JOIN opslib_index.archives a ON a.number = r.archive "
    "WHERE r.number = ANY(ARRAY(SELECT opslib_index.newest(%s, %s, %s, %s, %s))) ORDER BY r.number DESC"
)
HISTORY = (
    "SELECT r.run, r.started, r.notebook, l.verdict, l.value, l.unit, l.text AS summary, l.warning, l.critical, "
    "l.above, a.archive, a.place FROM (SELECT * FROM opslib_index.lines "
    "WHERE kind = 'check' AND environment = %s AND name = %s "
    "ORDER BY run DESC, place DESC LIMIT %s) l JOIN opslib_index.runs r ON r.number = l.run "
    "JOIN opslib_index.archives a ON a.number = r.archive ORDER BY l.run, l.place"
)
VERDICTS = (
    "SELECT l.name, r.run, l.verdict FROM opslib_index.runs r JOIN opslib_index.lines l ON l.run = r.number "
    "WHERE l.kind = 'check' AND r.environment = %s AND r.started >= %s ORDER BY r.started, r.number, l.place"
)
# From one name to the next: by DISTINCT the server would read every result that there ever was.
CHECKS = (
    "WITH RECURSIVE known AS (SELECT min(name) AS name FROM opslib_index.lines "
    "WHERE kind = 'check' AND environment = %(environment)s UNION ALL "
    "SELECT (SELECT min(l.name) FROM opslib_index.lines l WHERE l.kind = 'check' "
    "AND l.environment = %(environment)s AND l.name > known.name) FROM known WHERE known.name IS NOT NULL) "
    "SELECT name FROM known WHERE name IS NOT NULL ORDER BY name"
)
CHECKS_OF = (
    "WITH RECURSIVE known AS (SELECT min(name) AS name FROM opslib_index.lines "
    "WHERE kind = 'check' AND environment = %(environment)s AND notebook = %(notebook)s UNION ALL "
    "SELECT (SELECT min(l.name) FROM opslib_index.lines l WHERE l.kind = 'check' AND l.environment = %(environment)s "
    "AND l.notebook = %(notebook)s AND l.name > known.name) FROM known WHERE known.name IS NOT NULL) "
    "SELECT name FROM known WHERE name IS NOT NULL ORDER BY name"
)
LINES = (
    "SELECT run, kind, name, text, verdict, value, unit, warning, critical, above FROM opslib_index.lines "
    "WHERE run = ANY(%s) ORDER BY run, place"
)
