"""The part of a target's description that says where people sign in."""

from pydantic import Field

from opslib.settings_part import Part


class SignIn(Part):
    """Where the way of a sign-in begins, and who may go it."""

    sign_in_path: str = Field(
        "/login",
        alias="OPS_SIGN_IN_PATH",
        pattern=r"^(/[A-Za-z0-9._~-]{1,60}){1,6}$",
        description="path at the front end and at the API where signing in begins; looked at by GET, nobody signs in",
    )
    trial_email: str | None = Field(
        None,
        alias="OPS_TRIAL_EMAIL",
        pattern=r"^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,190}$",
        description="account without rights that signs in by password, to see which key signs; unset: not seen",
    )
