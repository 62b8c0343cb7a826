"""The actions: the only effects that the executor knows, each by its name.

The dictionary is closed and written out: nothing registers itself, so that what can be asked for is
what stands here.
"""

from __future__ import annotations

from opslib.actions import (
    authentication,
    backups,
    cache,
    cluster,
    database,
    delivery,
    dependencies,
    environment,
    frontend,
    llm,
    security,
    supabase,
)
from opslib.actions.base import Action

_KINDS: tuple[type[Action], ...] = (
    backups.TakeBackup,
    backups.ProveBackup,
    backups.ApplyRetention,
    backups.StageBackup,
    backups.RestoreIntoNewDatabase,
    backups.SwapDatabases,
    database.VacuumTables,
    database.CreateIndex,
    database.DropInvalidIndexes,
    database.RefreshViews,
    database.RehearseMigrations,
    database.ApplyMigrations,
    database.ApplyDestructiveMigrations,
    database.RollBackMigration,
    database.EndBlockingSession,
    database.RecoverToMoment,
    database.BringBackRows,
    database.FencePrimary,
    database.PromoteStandby,
    database.RepointApplication,
    database.ProveWrites,
    database.RejoinFormerPrimary,
    cache.ClearFamily,
    delivery.DispatchWorkflow,
    frontend.BuildFrontEnd,
    frontend.DraftFrontEnd,
    frontend.DeployFrontEnd,
    frontend.RollBackFrontEnd,
    frontend.SetHostingVariable,
    supabase.SetFunctionSecret,
    supabase.DeployFunctions,
    security.PreserveEvidence,
    security.PreserveLogs,
    security.NotifyStakeholders,
    authentication.RevokeSessions,
    cache.SetCacheMemory,
    cluster.ScaleDeployment,
    environment.CloneRepository,
    environment.InstallPackages,
    environment.WriteEnvironmentFile,
    environment.StartDevServer,
    cluster.BlockAddresses,
    cluster.SetAuditLevel,
    security.StageKey,
    security.TryKey,
    security.PromoteKey,
    security.SetFunctionKey,
    security.SetHostingKey,
    security.RebuildFrontEnd,
    security.SetClusterKey,
    security.RevokeOldKey,
    security.PrepareSigningKey,
    security.RotateSigningKey,
    security.TrySigningKey,
    security.RevokeSigningKey,
    llm.ResetBreakers,
    dependencies.SwitchSite,
    cluster.RecoverDeployment,
    cache.RestartCache,
    delivery.ApplyInfrastructure,
)

ACTIONS: dict[str, type[Action]] = {kind.name: kind for kind in _KINDS}
"""Every action, by its name."""
