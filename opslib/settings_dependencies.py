"""The part of a target's description that says what the product depends on: status pages, names, error tracking."""

from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from opslib.redaction import Secret
from opslib.settings_guard import ADDRESS, Address, split
from opslib.settings_part import Part

_VENDOR = r"[a-z][a-z0-9-]{0,30}"
Page = Annotated[str, Field(pattern=rf"^{_VENDOR}={ADDRESS}$", max_length=500)]
"""A vendor and the address of its feed."""
Need = Annotated[str, Field(pattern=rf"^{_VENDOR}=[^\s,\x00-\x1f\x7f][^,\x00-\x1f\x7f]{{0,99}}$")]
"""A vendor and a component as its page names it."""
Host = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$")
]


class Dependencies(Part):
    """What has to be well elsewhere for the product to be well, and what only reads there."""

    status_pages: Annotated[tuple[Page, ...], BeforeValidator(split)] = Field(
        (),
        alias="OPS_STATUS_PAGES",
        description="vendors' status feeds: vendor=address, several by commas; the vendor's name as in OPS_HOSTER",
    )
    status_components: Annotated[tuple[Need, ...], BeforeValidator(split)] = Field(
        (),
        alias="OPS_STATUS_COMPONENTS",
        description="what the product needs of them: vendor=component as the page names it, several by commas",
    )
    hosts: Annotated[tuple[Host, ...], BeforeValidator(split)] = Field(
        (),
        alias="OPS_HOSTS",
        description="names that the product uses besides those of its own addresses, e.g. api.together.ai",
    )
    resolver: str | None = Field(
        None,
        alias="OPS_RESOLVER",
        pattern=r"^([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9a-f:]{2,39}\]):[0-9]{1,5}$",
        description="address:port of the name server that is asked; unset: this machine's",
    )
    sentry_url: Address | None = Field(None, alias="SENTRY_URL", description="unset: sentry.io")
    sentry_organization: str | None = Field(
        None, alias="SENTRY_ORG", pattern=r"^[a-z0-9][a-z0-9_-]{0,99}$", description="its short name"
    )
    sentry_project: str | None = Field(
        None, alias="SENTRY_PROJECT", pattern=r"^[0-9]{1,20}$", description="its number: counts are not told by name"
    )
    read_sentry_token: Secret | None = Field(
        None, alias="OPS_READ_SENTRY_TOKEN", description="scopes org:read, event:read, project:read"
    )

    @field_validator("status_pages")
    @classmethod
    def _once(cls, pages: tuple[str, ...]) -> tuple[str, ...]:
        names = [page.partition("=")[0] for page in pages]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"names {', '.join(twice)} twice")
        return pages

    @field_validator("status_components")
    @classmethod
    def _of_a_page(cls, needs: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        pages = {page.partition("=")[0] for page in info.data.get("status_pages", ())}
        if lost := sorted({need.partition("=")[0] for need in needs} - pages):
            raise ValueError(f"names {', '.join(lost)}, of which OPS_STATUS_PAGES has no page")
        return needs

    def pages(self) -> dict[str, str]:
        """Return the addresses of the status feeds, by vendor."""
        return {vendor: address for vendor, _, address in (page.partition("=") for page in self.status_pages)}

    def needed(self, vendor: str) -> tuple[str, ...]:
        """Return the components of a vendor that the product needs, as its page names them."""
        said = (need.partition("=") for need in self.status_components)
        return tuple(name.strip() for of, _, name in said if of == vendor)
