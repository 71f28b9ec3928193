"""What AWS says when it does not answer, as an Unknown: the reason, one redacted line, and what to do next."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from probes.reading import Reason, Unknown
from probes.redact import one_line

_DENIED = {
    "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "AuthorizationErrorException",
    "NotAuthorized", "UnauthorizedException", "Forbidden", "403", "InvalidAccessException", "KMSAccessDeniedException",
    "KMS.AccessDeniedException",
}  # fmt: skip
_CLOCK = {"RequestTimeTooSkewed", "RequestInTheFuture"}
"""Besides every message that says so of the signature: AWS compares the clock of the caller with its own."""
_CLOCK_MESSAGE = re.compile(r"signature (?:has )?expired|signature not yet current|clock.{0,20}skew", re.IGNORECASE)
_NOT_ENABLED = {
    "OptInRequired": "the account has not signed up for {service}: do it once in the console",
    "SubscriptionRequiredException": "the account has not signed up for {service}: do it once in the console",
    "RegionDisabledException": "the region is not enabled for this account: enable it in the account's settings, or correct it",
    "PendingVerification": "AWS is still verifying the account: ask its support",
    "AccountProblem": "there is a problem with the account itself: ask its owner",
    "AllAccessDisabled": "AWS has disabled the bucket: ask its support",
}
_KEY_FAILED = {
    "DecryptionFailure",
    "EncryptionFailure",
    "KMSDisabledException",
    "KmsKeyDisabled",
    "KMS.DisabledException",
    "DisabledException",
    "KMSInvalidStateException",
    "KMSKeyNotAccessibleFault",
    "KMSNotFoundException",
    "KMS.NotFoundException",
    "KmsException",
    "KMSOptInRequired",
    "KMSInvalidKeyUsageException",
    "KMSInternalException",
    "KeyUnavailableException",
    "InvalidKmsKeyException",
}
"""What a call says whose data cannot be decrypted, and not for want of a permission."""
_SKEW_ALLOWED_S = 240.0
"""AWS allows five minutes."""
_DEFAULT_KEY = "encrypt the secret with the default KMS service key"
_EXPIRED = {
    "ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "InvalidClientTokenId",
    "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSignatureException",
    "InvalidToken", "AuthFailure", "MissingAuthenticationToken", "MissingAuthenticationTokenException", "IncompleteSignature",
}  # fmt: skip
_THROTTLED = {
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
    "TooManyRequestsException", "RequestLimitExceeded", "SlowDown", "BandwidthLimitExceeded", "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException", "TransactionInProgressException", "EC2ThrottledException", "LimitExceededException",
    "429",
}  # fmt: skip
_UNAVAILABLE = {
    "ServiceUnavailable", "ServiceUnavailableException", "InternalError", "InternalFailure", "InternalServerError",
    "ServerException", "InternalServiceError", "InternalServiceErrorException", "500", "502", "503", "504",
}  # fmt: skip
_INVALID_TOKEN = {"InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure"}
_PASSING = {
    "ConflictException",
    "OperationAborted",
    "ResourceInUseException",
    "InvalidDBInstanceState",
    "UpdateInProgressException",
}
"""Something is being changed: another moment, another answer."""
_NOT_FOUND = {"404", "NonExistentQueue"}
"""Besides every code with NotFound, NoSuch or DoesNotExist in it."""
_ELSEWHERE = {"PermanentRedirect", "301", "IllegalLocationConstraintException", "AuthorizationHeaderMalformed"}
_IAM_PREFIX = {"elbv2": "elasticloadbalancing", "logs": "logs", "cloudwatch": "cloudwatch", "stepfunctions": "states"}
_IAM_ACTION = {
    ("s3", "head_bucket"): "s3:ListBucket",
    ("s3", "list_objects_v2"): "s3:ListBucket",
    ("s3", "head_object"): "s3:GetObject",
    ("s3", "get_bucket_encryption"): "s3:GetEncryptionConfiguration",
    ("s3", "get_bucket_lifecycle_configuration"): "s3:GetLifecycleConfiguration",
    ("s3", "get_public_access_block"): "s3:GetBucketPublicAccessBlock",
    ("s3", "list_bucket_metrics_configurations"): "s3:GetMetricsConfiguration",
    ("s3", "list_object_versions"): "s3:ListBucketVersions",
    ("logs", "get_query_results"): "logs:GetQueryResults",
}
_NAMING = {
    "cluster": "cluster", "service": "service", "serviceName": "service", "services": "service", "Bucket": "bucket",
    "KeyId": "key",
    "SecretId": "secret", "DBInstanceIdentifier": "instance", "DBClusterIdentifier": "cluster", "DBProxyName": "proxy",
    "Names": "target group", "TargetGroupArns": "target group",
    "TargetGroupArn": "target group", "logGroupName": "log group", "logGroupNames": "log group",
    "logGroupNamePrefix": "log group", "taskDefinition": "task definition", "CertificateArn": "certificate",
    "LoadBalancerArns": "load balancer", "LoadBalancerArn": "load balancer", "GroupIds": "security group",
    "repositoryName": "repository", "repositoryNames": "repository", "TopicArn": "topic", "DashboardName": "dashboard",
    "PolicySourceArn": "role", "RoleName": "role", "ListenerArn": "listener", "PrefixListId": "prefix list",
    "serviceDeploymentArns": "deployment", "serviceRevisionArns": "revision", "queryId": "query",
    "MetricName": "metric", "AlarmName": "alarm", "ChildrenOfAlarmName": "alarm",
    "QueueName": "queue", "QueueUrl": "queue", "FunctionName": "function", "Qualifier": "alias",
    "ReplicationGroupId": "replication group", "applicationName": "application", "deploymentGroupName": "deployment group",
    "deploymentId": "deployment",
}  # fmt: skip
_NAMING_OF = {
    "describe_load_balancers": {"Names": "load balancer"},
    "describe_db_instances": {"Filters": "cluster"},
    "get_alias": {"Name": "alias"},
    "get_distribution": {"Id": "distribution"},
}
_NO_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "NoAuthTokenError"}
_CREDENTIALS_END = {
    "CredentialRetrievalError", "TokenRetrievalError", "SSOTokenLoadError",
    "UnauthorizedSSOTokenError", "SSOError", "RefreshWithMFAUnsupportedError", "InvalidConfigError", "LoginRefreshRequired",
    "LoginError", "LoginTokenLoadError", "LoginAuthorizationCodeError", "MetadataRetrievalError",
}  # fmt: skip
_TIMEOUTS = {"ConnectTimeoutError", "ReadTimeoutError"}
_UNREACHABLE = {
    "EndpointConnectionError", "ConnectionError", "ConnectionClosedError", "ProxyConnectionError", "SSLError", "HTTPClientError",
    "ConnectionRefusedError", "ConnectionResetError", "IncompleteReadError", "ResponseStreamingError", "EndpointProviderError",
}  # fmt: skip
SEE_LOG = "the traceback is in the log file"
_ACTION_IN_MESSAGE = re.compile(r"not authorized to perform: ([a-z0-9-]{2,40}:[A-Za-z0-9*]{2,80})")


def iam_action(service: str, operation: str) -> str:
    """The IAM action an operation needs, in IAM's spelling.

    >>> iam_action("ecs", "describe_services"), iam_action("elbv2", "describe_target_health")
    ('ecs:DescribeServices', 'elasticloadbalancing:DescribeTargetHealth')
    >>> iam_action("rds", "describe_db_instances"), iam_action("s3", "get_bucket_encryption")
    ('rds:DescribeDBInstances', 's3:GetEncryptionConfiguration')
    """
    special = _IAM_ACTION.get((service, operation))
    if special:
        return special
    words = "".join({"db": "DB", "iam": "IAM"}.get(word, word.capitalize()) for word in operation.split("_"))
    return f"{_IAM_PREFIX.get(service, service)}:{words}"


def subject(params: Mapping[str, Any], operation: str = "") -> str:
    """What a call was about, in words; only names, so that nothing else of the question is ever shown.

    >>> subject({"cluster": "prod", "services": ["web"], "password": "x"})
    'cluster prod, service web'
    """
    parts: dict[str, None] = {}
    for key, word in (_NAMING | _NAMING_OF.get(operation, {})).items():
        value = params.get(key)
        given = [value] if isinstance(value, str) else value if isinstance(value, (list, tuple)) else []
        names = [name for each in given for name in (each.get("Values", ()) if isinstance(each, dict) else (each,))]
        parts |= dict.fromkeys(f"{word} {one_line(str(name), 120)}" for name in names[:3])
    return ", ".join(parts)


def explain(error: Exception, service: str, operation: str, *, profile: str = "", about: str = "") -> Unknown:
    """Why a call was not answered; `about` is what it asked for, as `subject` words it."""
    name = type(error).__name__
    response = getattr(error, "response", None)
    if isinstance(response, dict) and "Error" in response:
        return _refused(response, service, operation, profile, about)
    detail = f"{service} {operation}: {one_line(str(error))}"
    if name in _NO_CREDENTIALS:
        return Unknown(Reason.NO_CREDENTIALS, one_line(str(error)), _sign_in(profile) or _NAME_A_PROFILE)
    if name in _CREDENTIALS_END:
        return Unknown(Reason.EXPIRED_CREDENTIALS, one_line(str(error)), _sign_in(profile) or _RENEW)
    if name == "ProfileNotFound":
        hint = "list the profiles with `aws configure list-profiles`"
        return Unknown(Reason.NO_CREDENTIALS, one_line(str(error)), hint)
    if name == "NoRegionError":
        return Unknown(Reason.REFUSED, "no AWS region is set", "give --region, or target.region in the plan")
    if name in _TIMEOUTS:
        return Unknown(Reason.TIMEOUT, detail, f"check the network to {service}; see VPN and proxy")
    if name in _UNREACHABLE:
        return Unknown(Reason.UNREACHABLE, detail, f"check DNS, VPN and proxy towards {service}, and the region's name")
    if name in ("ParamValidationError", "UnknownServiceError", "AttributeError"):
        return Unknown(Reason.REFUSED, detail, "check the probe's parameters in the plan")
    if name == "ResponseParserError":  # its text quotes the answer, which may hold a secret
        hint = f"something other than AWS may answer for {service}: check the proxy and AWS_ENDPOINT_URL"
        return Unknown(Reason.ERROR, f"{service} {operation}: the answer cannot be parsed", hint)
    return Unknown(Reason.ERROR, detail, SEE_LOG)


def _refused(response: dict[str, Any], service: str, operation: str, profile: str, about: str) -> Unknown:
    code = str(response["Error"].get("Code", ""))
    message = str(response["Error"].get("Message", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
    # Redacted by itself: in "ExpiredToken: The ..." the code would be taken for the name of a secret.
    detail = f"{service} {operation}: {one_line(code, 80)}: {one_line(message)}".rstrip(": ")
    bare = code.rpartition("#")[2].rpartition(".")[2] or code
    named = f"{detail} ({about})" if about else detail
    if (hint := _to_change(bare, code, message, service, response)) is not None:
        return Unknown(Reason.REFUSED, named, hint)
    if bare in _EXPIRED:
        hint = _sign_in(profile) or _RENEW
        if bare in _INVALID_TOKEN:
            # A region that the account has not enabled knows none of its keys.
            hint += "; if they are good, the region is not enabled for this account"
        return Unknown(Reason.EXPIRED_CREDENTIALS, detail, hint)
    if bare in _THROTTLED or code.startswith("Throttling.") or status == 429:
        return Unknown(Reason.THROTTLED, detail, f"{service} asks for fewer calls: the probe slows down by itself")
    # "Cluster not found." and S3's "Access Denied" do not say which one: `about` does.
    if bare in _DENIED or status == 403:
        return Unknown(Reason.ACCESS_DENIED, named, _allow(service, operation, message))
    if any(words in message for words in ("marked for deletion", "marked deleted", "scheduled for deletion")):
        return Unknown(Reason.NOT_FOUND, named, "`aws secretsmanager restore-secret` brings it back, then press r")
    absent = "DoesNotExist" in bare or "Unable to describe task definition" in message
    if "NotFound" in bare or bare.startswith("NoSuch") or bare in _NOT_FOUND or status == 404 or absent:
        return Unknown(Reason.NOT_FOUND, named, f"check {about or 'the name'}, account and region in the plan")
    if bare in _UNAVAILABLE or bare.startswith(("Internal", "Server")) or status >= 500:
        return Unknown(Reason.ERROR, detail, f"{service} itself is failing: see the AWS health dashboard")
    if bare in _ELSEWHERE:
        return Unknown(Reason.NOT_FOUND, named, "the resource is in another region than the plan's")
    if bare in _PASSING:
        return Unknown(Reason.ERROR, detail, "it is busy with a change: it is asked again")
    if not bare or bare.isdigit():  # the answer to a HEAD has no words: what it means is not known
        return Unknown(Reason.ERROR, detail, "check the probe's parameters in the plan")
    return Unknown(Reason.REFUSED, named, "check the probe's parameters in the plan")


def _to_change(bare: str, code: str, message: str, service: str, response: Mapping[str, Any]) -> str | None:
    """What must be changed before such a call is ever answered; None where it is not one of these."""
    if bare in _CLOCK or _CLOCK_MESSAGE.search(message):
        return _set_the_clock(response)
    if bare == "RequestExpired" and abs(_behind_s(response) or 0.0) > _SKEW_ALLOWED_S:
        return _set_the_clock(response)  # else it is the credentials: EC2 has one code for both
    if bare in _NOT_ENABLED:
        return _NOT_ENABLED[bare].format(service=service)
    if bare in _KEY_FAILED or code in _KEY_FAILED or _DEFAULT_KEY in message:
        return _renew_the_key(code, message)
    return None


def _behind_s(response: Mapping[str, Any]) -> float | None:
    """By how much this machine's clock is behind, by the Date of the refusal itself; None without one."""
    given = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(given).timestamp() - time.time()
    except (ValueError, TypeError):
        return None


def _set_the_clock(response: Mapping[str, Any]) -> str:
    behind = _behind_s(response)
    if behind is None:
        return "the clock of this machine is wrong: set it (`timedatectl`), then press r"
    side = "behind" if behind > 0 else "ahead of"
    return f"the clock of this machine is {abs(behind):.0f} s {side} AWS: set it (`timedatectl`), then press r"


def _renew_the_key(code: str, message: str) -> str:
    if _DEFAULT_KEY in message:
        return "another account can read it only under a customer key: encrypt it with one that this account may use"
    if "isabled" in code or "isabled" in message:
        return "its KMS key is disabled: enable it, then press r"
    if "NotFound" in code:
        return "its KMS key does not exist any more: restore it, or write the value again under another key"
    if "PendingDeletion" in message or "pending deletion" in message:
        return "its KMS key is scheduled for deletion: cancel that, then press r"
    return "its KMS key cannot decrypt it: is the key enabled, in this region, and not scheduled for deletion?"


def _allow(service: str, operation: str, message: str) -> str:
    """What to allow: the action AWS names, for a call can need another than its own (kms:Decrypt), else the call's own."""
    named = _ACTION_IN_MESSAGE.search(message)
    own = "kms:Decrypt" if "Access to KMS is not allowed" in message else iam_action(service, operation)
    action = named[1] if named else own
    if "explicit deny" in message:
        return f"an explicit deny blocks {action}: lift it, then press r"
    return f"allow {action}, then press r"


_RENEW = "renew the AWS credentials, then press r"
_NAME_A_PROFILE = "give --profile or AWS_PROFILE; `aws configure list` says what is found on this machine"


def _sign_in(profile: str) -> str:
    return f"run `aws sso login --profile {profile}`, then press r" if profile else ""
