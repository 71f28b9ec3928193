"""What S3 and its clients answer when something was not done, as what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from probes.redact import one_line

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9.]+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")
_HALTING = {
    "AccessDenied": "allow s3:PutObject and s3:GetObject on the bucket for the role that migrates "
    "(and migration.storage.requester_pays where requesters pay); the bucket must be of target.account; then resume",
    "AllAccessDisabled": "the bucket is disabled: see the account, then resume",
    "InvalidAccessKeyId": "log in again, then resume",
    "SignatureDoesNotMatch": "log in again; check this machine's clock, then resume",
    "ExpiredToken": "log in again, then resume",
    "ExpiredTokenException": "log in again, then resume",
    "InvalidToken": "log in again, then resume",
    "TokenRefreshRequired": "log in again, then resume",
    "RequestTimeTooSkewed": "set this machine's clock, then resume",
    "NoSuchBucket": "correct migration.bucket in the plan, or create the bucket, then begin again",
    "PermanentRedirect": "the bucket is in another region than the plan's: correct migration.region",
    "AuthorizationHeaderMalformed": "the bucket is in another region than the plan's: correct migration.region",
    "KMS.DisabledException": "enable the KMS key that encrypts the files, then resume",
    "KMS.KMSInvalidStateException": "the KMS key is being deleted: cancel that, or name another, then resume",
    "KMS.NotFoundException": "correct migration.storage.kms_key in the plan: the key is of the bucket's region",
}
_LOCKED = r"object lock|\bWORM\b"
_CURES = (
    (r"\bkms:\w+", "allow kms:GenerateDataKey and kms:Decrypt in the role's policy and in the key's own, then resume"),
    (_LOCKED, "Object Lock keeps it until its retention ends: nobody can remove it before"),
    (
        r"service control policy",
        "a service control policy of the organization denies it: ask who keeps those, then resume",
    ),
    (
        r"resource control policy",
        "a resource control policy of the organization denies it: ask who keeps those, then resume",
    ),
    (r"VPC endpoint policy", "the policy of the VPC endpoint does not allow it: add the bucket to it, then resume"),
    (r"permissions boundary", "the role's permissions boundary does not allow it: widen that, then resume"),
    (
        r"session policy",
        "the session these credentials are of was begun with a narrower policy: begin another, then resume",
    ),
    (
        r"deny in a resource-based policy",
        "the bucket's policy denies it: often it asks for another encryption, or for TLS",
    ),
    (r"\brequester\b", "the bucket lets requesters pay: write migration.storage.requester_pays: true"),
)
"""What a refusal's words are about, and what to do; the first that fits. The words are those S3 and IAM refuse with."""


_OF_CREDENTIALS = (
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
)


class StoreError(Exception):
    """Something S3 did not do."""

    def __init__(self, code: str, detail: str = "", hint: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code, self.detail, self.hint = code, detail, hint


class Exists(StoreError):  # noqa: N818
    """The key is taken: by our own earlier write, or by something else."""


class Missing(StoreError):  # noqa: N818
    """There is no such object, or upload."""


class Busy(StoreError):  # noqa: N818
    """503, a timeout, a reset, a conflict: try again, more slowly."""


class Halting(StoreError):  # noqa: N818
    """Wrong for every file: permissions, credentials, the bucket."""

    @property
    def of_credentials(self) -> bool:
        """They have expired, or are not there: others may be had."""
        return self.code in _OF_CREDENTIALS or any(word in self.code for word in ("Credential", "Token", "SSO"))

    @property
    def locked(self) -> bool:
        """Object Lock keeps what was to be removed."""
        return re.search(_LOCKED, self.detail, re.IGNORECASE) is not None

    @property
    def of_credentials_perhaps(self) -> bool:
        """A refusal without a reason, as an answer to HEAD is, which has no body."""
        return self.code in ("400", "403")


class Rejected(StoreError):  # noqa: N818
    """This file was refused."""


def of_obstore(error: Exception) -> StoreError:
    """What an error of the data plane means. obstore says the status in its text alone."""
    text = str(error)
    status = _STATUS.search(text)
    code = _CODE.search(text)
    if status is None and "without LOCATION" in text:
        return of_answer(301, "PermanentRedirect", "the bucket is elsewhere")
    if status is None:
        kind = type(error).__name__
        if kind in ("GenericError", "OSError", "TimeoutError", "ConnectionError"):
            return Busy("Unreachable", one_line(text.partition("Debug source")[0], 160))
        if "credential" in text.lower() or kind in ("UnauthenticatedError", "NoCredentialsError"):
            return Halting("NoCredentials", one_line(text, 160), "log in, then resume")
        return Busy(kind, one_line(text.partition("Debug source")[0], 160))
    message = _MESSAGE.search(text)
    return of_answer(int(status.group(1)), code.group(1) if code else "", message.group(1) if message else "")


def of_boto(error: Exception) -> StoreError:
    """What an error of the control plane means."""
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    if "Error" not in response:
        name = type(error).__name__
        if "Credential" in name or "Token" in name or "SSO" in name:
            return Halting(name, one_line(str(error), 160), "log in, then resume")
        return Busy("Unreachable", f"{name}: {one_line(str(error), 140)}")
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
    return of_answer(status, str(response["Error"].get("Code", "")), str(response["Error"].get("Message", "")))


def of_answer(status: int, code: str, detail: str) -> StoreError:
    """What an HTTP status and an S3 error code mean."""
    cure = next((cure for words, cure in _CURES if re.search(words, detail, re.IGNORECASE)), _HALTING["AccessDenied"])
    detail = one_line(detail, 160)
    if code == "AccessDenied":
        return Halting(code, detail, cure)
    if code in _HALTING:
        return Halting(code, detail, _HALTING[code])
    if status == 412 or code == "PreconditionFailed":
        return Exists(code or "412", detail)
    if status in (404, 405) or code in ("NoSuchKey", "NoSuchUpload", "NotFound"):
        return Missing(code or str(status), detail)
    if status == 403:
        return Halting(code or "AccessDenied", detail, cure)
    if status in (301, 307, 401):
        return Halting(code or str(status), detail, "check the bucket's region and the credentials, then resume")
    if code.startswith("KMS.") and "Throttl" not in code:
        return Halting(code, detail, "see the KMS key that encrypts the files, then resume")
    if status == 400 and code in ("", "400", "BadRequest"):
        # A HEAD has no body to say why: an expired token, another region. It is no fault of the file.
        hint = "often credentials that have expired, or the wrong region: renew them, then resume"
        return Halting("400", detail or "S3 refused without saying why", hint)
    passing = ("XAmzContentSHA256Mismatch", "BadDigest", "IncompleteBody", "RequestTimeout", "KMS.ThrottlingException")
    if status == 501:
        return Rejected(code or str(status), detail)
    if status in (409, 429) or status >= 500 or code in passing:
        return Busy(code or str(status), detail)
    return Rejected(code or str(status), detail)
