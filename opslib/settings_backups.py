"""The part of a target's description that may open the bucket of backups: credentials of whoever owns it."""

from pydantic import Field

from opslib.redaction import Secret
from opslib.settings_part import Part


class BucketOwner(Part):
    """Credentials that can change the bucket's policy and nothing else; the executor's, and used by one step alone."""

    bucket_owner_aws_access_key_id: Secret | None = Field(
        None,
        alias="OPS_BUCKET_OWNER_AWS_ACCESS_KEY_ID",
        description="reads and puts the policy of S3_BUCKET_NAME, nothing else; unset: its owner does so by hand",
    )
    bucket_owner_aws_secret_access_key: Secret | None = Field(None, alias="OPS_BUCKET_OWNER_AWS_SECRET_ACCESS_KEY")

    @property
    def owns_bucket(self) -> bool:
        """Whether the description has credentials of the bucket's owner."""
        return self.bucket_owner_aws_access_key_id is not None and self.bucket_owner_aws_secret_access_key is not None
