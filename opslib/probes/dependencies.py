"""What depends on others being well: vendors' status pages, names and certificates, Sentry."""

from opslib.probes.dependencies_clocks import clocks
from opslib.probes.dependencies_names import certificates, names
from opslib.probes.dependencies_pages import pages
from opslib.probes.dependencies_sentry import intake, new_issues, releases
from opslib.probes.dependencies_sites import answers, sites

__all__ = ["answers", "certificates", "clocks", "intake", "names", "new_issues", "pages", "releases", "sites"]
