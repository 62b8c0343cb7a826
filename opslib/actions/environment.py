"""A development environment on this machine: its checkout, packages, env file and server."""

from opslib.actions.environment_clone import CloneRepository
from opslib.actions.environment_file import WriteEnvironmentFile
from opslib.actions.environment_packages import InstallPackages
from opslib.actions.environment_server import StartDevServer

__all__ = ["CloneRepository", "InstallPackages", "StartDevServer", "WriteEnvironmentFile"]
