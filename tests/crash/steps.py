"""The steps of real runbooks as their notebooks ask for them, for a run without a kernel."""

RUNBOOKS = {
    "back-up": "runbooks/back-up-database",
    "restore": "runbooks/restore-database",
    "retention": "runbooks/back-up-database",
    "upkeep": "runbooks/maintain-database",
    "roll-back": "runbooks/roll-back-deployment",
    "migrate": "runbooks/migrate-database",
}


def steps(scenario):
    """Return (cell, action, parameters as a function of the values of the steps before) in their order."""
    return [(action, action, parameters) for action, parameters in _parameters(scenario)]


def _parameters(scenario):
    if scenario == "retention":
        return [("apply-retention", lambda done: {})]
    if scenario == "roll-back":
        return [("roll-back-front-end", lambda done: {"deployment": "previous", "wait_seconds": 60.0})]
    if scenario == "upkeep":
        return [
            ("vacuum-tables", lambda done: {"table": "due"}),
            ("drop-invalid-indexes", lambda done: {}),
            ("create-index", lambda done: {"table": "public.users", "columns": "name"}),
            ("refresh-views", lambda done: {}),
        ]
    if scenario == "migrate":
        # Rehearsed beforehand, as the bench says: that has a restore in it, which "restore" breaks off.
        return [
            ("apply-migrations", lambda done: {"through": "all"}),
            ("roll-back-migration", lambda done: {"version": "20260402090000"}),
        ]
    if scenario == "back-up":
        return [
            ("take-backup", lambda done: {}),
            ("prove-backup", lambda done: {"backup": done["take-backup"]["backup"]}),
            ("apply-retention", lambda done: {}),
        ]
    return [
        ("stage-backup", lambda done: {"backup": "crash/x.dump", "max_age_hours": 1000.0}),
        ("restore-into-new-database", lambda done: {"sha256": done["stage-backup"]["sha256"]}),
        (
            "swap-databases",
            lambda done: {
                "database": done["restore-into-new-database"]["database"],
                "sha256": done["stage-backup"]["sha256"],
            },
        ),
    ]
