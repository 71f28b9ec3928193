"""Both clients reach S3 by the same endpoint, whichever AWS's own settings name."""

from __future__ import annotations

import pytest

from cockpit.migration.object_store import Store
from cockpit.migration.settings import Settings

BUCKET = "documents-under-test"


@pytest.mark.parametrize(
    ("setting", "value", "endpoint"),
    [
        ("AWS_REGION", "eu-central-1", None),
        ("AWS_ENDPOINT_URL_S3", "https://bucket.vpce-1a2b.s3.eu-central-1.vpce.amazonaws.com",
         "https://bucket.vpce-1a2b.s3.eu-central-1.vpce.amazonaws.com"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true", "https://s3.dualstack.eu-central-1.amazonaws.com"),
        ("AWS_USE_FIPS_ENDPOINT", "true", "https://s3-fips.eu-central-1.amazonaws.com"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", "http://127.0.0.1:1"),
    ],
)  # fmt: skip
def test_the_data_plane_goes_where_the_control_plane_goes(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, endpoint: str | None
) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv(setting, value)
    store = Store(Settings(BUCKET, "eu-central-1", "documents/", ()))
    store.open()
    try:
        assert store._objects.config.get("endpoint") == endpoint
        assert store._objects.config["virtual_hosted_style_request"] == str(endpoint is None).lower()
        assert endpoint is None or store._client.meta.endpoint_url == endpoint
    finally:
        store.close()
