"""What AWS says when it does not answer: the reason, and a next step that helps."""

from __future__ import annotations

import doctest
import re
import time
from email.utils import formatdate
from typing import Any

import boto3
import botocore.exceptions as aws
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from support.aws.probe_calls import MODULES, calls

import probes.clients.aws_errors
from probes.clients.aws_errors import SEE_LOG, explain, iam_action, subject
from probes.reading import Reason


def refused(code: str, message: str = "no", status: int = 400, operation: str = "X") -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        ("AccessDenied", 403, Reason.ACCESS_DENIED),
        ("AccessDeniedException", 400, Reason.ACCESS_DENIED),
        ("UnauthorizedOperation", 403, Reason.ACCESS_DENIED),
        ("AuthorizationErrorException", 403, Reason.ACCESS_DENIED),
        ("403", 403, Reason.ACCESS_DENIED),
        ("SomethingNew", 403, Reason.ACCESS_DENIED),
        ("ExpiredToken", 400, Reason.EXPIRED_CREDENTIALS),
        ("ExpiredTokenException", 403, Reason.EXPIRED_CREDENTIALS),
        ("RequestExpired", 400, Reason.EXPIRED_CREDENTIALS),
        ("InvalidClientTokenId", 403, Reason.EXPIRED_CREDENTIALS),
        ("UnrecognizedClientException", 400, Reason.EXPIRED_CREDENTIALS),
        ("InvalidAccessKeyId", 403, Reason.EXPIRED_CREDENTIALS),
        ("SignatureDoesNotMatch", 403, Reason.EXPIRED_CREDENTIALS),
        ("AuthFailure", 401, Reason.EXPIRED_CREDENTIALS),
        ("Throttling", 400, Reason.THROTTLED),
        ("ThrottlingException", 400, Reason.THROTTLED),
        ("Throttling.User", 400, Reason.THROTTLED),
        ("TooManyRequestsException", 429, Reason.THROTTLED),
        ("RequestLimitExceeded", 503, Reason.THROTTLED),
        ("SlowDown", 503, Reason.THROTTLED),
        ("LimitExceededException", 400, Reason.THROTTLED),
        ("Whatever", 429, Reason.THROTTLED),
        ("ClusterNotFoundException", 400, Reason.NOT_FOUND),
        ("ResourceNotFoundException", 400, Reason.NOT_FOUND),
        ("DBInstanceNotFound", 404, Reason.NOT_FOUND),
        ("TargetGroupNotFound", 400, Reason.NOT_FOUND),
        ("NoSuchBucket", 404, Reason.NOT_FOUND),
        ("404", 404, Reason.NOT_FOUND),
        ("404", 0, Reason.NOT_FOUND),
        ("QueueDoesNotExist", 400, Reason.NOT_FOUND),
        ("InvalidInstanceID.NotFound", 400, Reason.NOT_FOUND),
        ("PermanentRedirect", 301, Reason.NOT_FOUND),
        ("InternalFailure", 500, Reason.ERROR),
        ("ServiceUnavailable", 503, Reason.ERROR),
        ("502", 502, Reason.ERROR),
        ("InvalidParameterException", 400, Reason.REFUSED),
        ("com.amazonaws.ecs#AccessDeniedException", 400, Reason.ACCESS_DENIED),
        ("com.amazonaws.ecs#ThrottlingException", 400, Reason.THROTTLED),
    ],
)
def test_codes_and_their_reasons(code: str, status: int, reason: Reason) -> None:
    unknown = explain(refused(code, "the words of AWS", status), "ecs", "describe_services")
    assert unknown.reason is reason
    assert unknown.hint
    assert unknown.detail == f"ecs describe_services: {code}: the words of AWS"


@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("sts", "get_caller_identity", "sts:GetCallerIdentity"),
        ("ecs", "describe_services", "ecs:DescribeServices"),
        ("ecs", "list_service_deployments", "ecs:ListServiceDeployments"),
        ("elbv2", "describe_target_health", "elasticloadbalancing:DescribeTargetHealth"),
        ("rds", "describe_db_instances", "rds:DescribeDBInstances"),
        ("s3", "head_bucket", "s3:ListBucket"),
        ("s3", "get_bucket_versioning", "s3:GetBucketVersioning"),
        ("s3", "get_bucket_encryption", "s3:GetEncryptionConfiguration"),
        ("s3", "get_bucket_lifecycle_configuration", "s3:GetLifecycleConfiguration"),
        ("s3", "get_public_access_block", "s3:GetBucketPublicAccessBlock"),
        ("secretsmanager", "describe_secret", "secretsmanager:DescribeSecret"),
        ("secretsmanager", "get_secret_value", "secretsmanager:GetSecretValue"),
        ("cloudwatch", "get_metric_data", "cloudwatch:GetMetricData"),
        ("logs", "start_query", "logs:StartQuery"),
    ],
)
def test_a_refusal_names_the_action_to_allow(service: str, operation: str, action: str) -> None:
    assert iam_action(service, operation) == action
    assert explain(refused("AccessDenied", status=403), service, operation).hint == f"allow {action}, then press r"


def test_the_action_aws_names_is_the_one_to_allow() -> None:
    words = "User: arn:x is not authorized to perform: kms:Decrypt on resource: arn:x because"
    unknown = explain(refused("AccessDeniedException", words), "secretsmanager", "get_secret_value")
    assert unknown.hint == "allow kms:Decrypt, then press r"
    unknown = explain(
        refused("AccessDeniedException", "Access to KMS is not allowed"), "secretsmanager", "get_secret_value"
    )
    assert unknown.hint == "allow kms:Decrypt, then press r"


def test_an_explicit_deny_is_not_answered_with_allow() -> None:
    words = (
        "is not authorized to perform: ecs:ListTasks on resource: * with an explicit deny in a service control policy"
    )
    hint = explain(refused("AccessDeniedException", words), "ecs", "list_tasks").hint
    assert hint == "an explicit deny blocks ecs:ListTasks: lift it, then press r"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"cluster": "prod", "services": ["web"]}, "cluster prod, service web"),
        ({"cluster": "prod", "serviceName": "web", "desiredStatus": "STOPPED"}, "cluster prod, service web"),
        ({"Bucket": "documents", "ExpectedBucketOwner": "123456789012"}, "bucket documents"),
        ({"SecretId": "app/key"}, "secret app/key"),
        ({"DBInstanceIdentifier": "db"}, "instance db"),
        ({"Names": ["web"]}, "target group web"),
        ({}, ""),
    ],
)
def test_what_a_call_was_about(params: dict[str, object], said: str) -> None:
    assert subject(params) == said


def test_only_names_of_a_question_are_ever_shown() -> None:
    assert "hunter2" not in subject({"cluster": "prod", "SecretString": "hunter2", "MasterUserPassword": "hunter2"})


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (
            refused("ClusterNotFoundException", "Cluster not found."),
            "ecs x: ClusterNotFoundException: Cluster not found. (cluster prod)",
        ),
        (refused("AccessDenied", "Access Denied", 403), "ecs x: AccessDenied: Access Denied (cluster prod)"),
    ],
)
def test_what_is_not_found_or_not_allowed_is_named_even_where_aws_does_not(error: ClientError, detail: str) -> None:
    assert explain(error, "ecs", "x", about="cluster prod").detail == detail


def test_two_missing_things_are_two_causes_and_one_missing_permission_is_one() -> None:
    """Causes are told apart by their hint."""
    gone, denied = refused("ResourceNotFoundException"), refused("AccessDenied", status=403)
    groups = ("log group a", "log group b")
    hints = {explain(gone, "logs", "x", about=about).hint for about in groups}
    assert hints == {f"check {about}, account and region in the plan" for about in groups}
    assert len({explain(denied, "logs", "x", about=about).hint for about in groups}) == 1


def test_a_secret_marked_for_deletion_can_be_brought_back() -> None:
    words = "You can't perform this operation on the secret because it was marked for deletion."
    unknown = explain(refused("InvalidRequestException", words), "secretsmanager", "get_secret_value")
    assert (unknown.reason, "restore-secret" in unknown.hint) == (Reason.NOT_FOUND, True)


@pytest.mark.parametrize(
    "error",
    [
        refused("ExpiredToken"),
        aws.CredentialRetrievalError(provider="sso", error_msg="x"),
        aws.TokenRetrievalError(provider="sso", error_msg="Token has expired and refresh failed"),
        aws.SSOTokenLoadError(error_msg="Token for x does not exist"),
        aws.UnauthorizedSSOTokenError(),
        aws.MetadataRetrievalError(error_msg="x"),
    ],
)
def test_credentials_that_do_not_work_say_how_to_log_in_again(error: Exception) -> None:
    unknown = explain(error, "sts", "get_caller_identity", profile="night")
    assert unknown.reason is Reason.EXPIRED_CREDENTIALS
    assert unknown.hint == "run `aws sso login --profile night`, then press r"
    assert explain(error, "sts", "get_caller_identity").hint == "renew the AWS credentials, then press r"


@pytest.mark.parametrize(
    "error",
    [
        aws.NoCredentialsError(),
        aws.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        aws.NoAuthTokenError(),
    ],
)
def test_where_none_ever_were_nothing_is_to_be_renewed(error: Exception) -> None:
    unknown = explain(error, "sts", "get_caller_identity")
    assert unknown.reason is Reason.NO_CREDENTIALS
    assert "--profile" in unknown.hint
    assert "renew" not in unknown.hint
    assert "--profile night" in explain(error, "sts", "get_caller_identity", profile="night").hint


def test_the_code_of_an_expired_token_stays_readable() -> None:
    words = "The security token included in the request is expired"
    unknown = explain(refused("ExpiredToken", words), "secretsmanager", "get_secret_value")
    assert unknown.detail == f"secretsmanager get_secret_value: ExpiredToken: {words}"


def test_a_profile_that_does_not_exist() -> None:
    unknown = explain(aws.ProfileNotFound(profile="nigth"), "ecs", "x", profile="nigth")
    assert (unknown.reason, "list-profiles" in unknown.hint) == (Reason.NO_CREDENTIALS, True)
    assert "nigth" in unknown.detail


@pytest.mark.parametrize(
    ("error", "reason", "hint"),
    [
        (aws.ConnectTimeoutError(endpoint_url="https://ecs"), Reason.TIMEOUT, "VPN"),
        (aws.ReadTimeoutError(endpoint_url="https://ecs"), Reason.TIMEOUT, "VPN"),
        (aws.EndpointConnectionError(endpoint_url="https://ecs"), Reason.UNREACHABLE, "DNS"),
        (aws.ConnectionClosedError(endpoint_url="https://ecs"), Reason.UNREACHABLE, "DNS"),
        (aws.SSLError(endpoint_url="https://ecs", error="bad certificate"), Reason.UNREACHABLE, "proxy"),
        (aws.ProxyConnectionError(proxy_url="http://proxy"), Reason.UNREACHABLE, "proxy"),
        (aws.NoRegionError(), Reason.REFUSED, "region"),
        (aws.ParamValidationError(report="cluster: int"), Reason.REFUSED, "parameters"),
        (AttributeError("'ECS' object has no attribute 'describe_service'"), Reason.REFUSED, "parameters"),
        (ZeroDivisionError("x"), Reason.ERROR, SEE_LOG),
    ],
)
def test_what_the_network_and_we_do_wrong(error: Exception, reason: Reason, hint: str) -> None:
    unknown = explain(error, "ecs", "describe_services")
    assert unknown.reason is reason
    assert hint in unknown.hint


def test_an_answer_that_cannot_be_parsed_is_not_quoted() -> None:
    error = ResponseParserError("Unable to parse response: b'the-secret-value'")
    unknown = explain(error, "secretsmanager", "get_secret_value")
    assert unknown.reason is Reason.ERROR
    assert "the-secret-value" not in repr(unknown)


def test_secrets_in_the_words_of_aws_are_hidden() -> None:
    unknown = explain(refused("ValidationError", "bad url postgres://app:hunter2@db/x"), "ecs", "x")
    assert "hunter2" not in unknown.detail


def test_the_examples_in_the_documentation_hold() -> None:
    assert doctest.testmod(probes.clients.aws_errors).failed == 0


# -- what passes by itself, and what does not ---------------------------------------------------------------------------


def dated(code: str, message: str, behind_s: float) -> ClientError:
    """A refusal from a server whose clock is ahead of this machine's by so much."""
    error = refused(code, message, 403)
    error.response["ResponseMetadata"]["HTTPHeaders"] = {"date": formatdate(time.time() + behind_s, usegmt=True)}
    return error


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
        ("SignatureDoesNotMatch", "Signature expired: 20261129T000000Z is now earlier than 20261129T001500Z"),
        (
            "InvalidSignatureException",
            "Signature not yet current: 20261129T003000Z is still later than 20261129T001500Z",
        ),
        ("RequestExpired", "The request reached the service more than 15 minutes after its date stamp"),
    ],
)
@pytest.mark.parametrize(("behind_s", "side"), [(9000, "behind"), (-9000, "ahead of")])
def test_a_wrong_clock_is_told_at_once_and_by_how_much(code: str, message: str, behind_s: float, side: str) -> None:
    unknown = explain(dated(code, message, behind_s), "ecs", "describe_services")
    assert (unknown.reason, unknown.transient) == (Reason.REFUSED, False)
    shown = re.search(rf"(\d+) s {side} AWS", unknown.hint)
    assert shown is not None, unknown.hint
    assert abs(int(shown[1]) - 9000) < 1000, "the machine may be slow between the refusal and its explanation"
    assert "log in" not in unknown.hint
    assert "credentials" not in unknown.hint


def test_ec2_says_the_same_of_credentials_that_have_expired() -> None:
    assert explain(dated("RequestExpired", "Request has expired.", 1), "ec2", "x").reason is Reason.EXPIRED_CREDENTIALS


@pytest.mark.parametrize(
    ("code", "message", "cure"),
    [
        ("OptInRequired", "The AWS Access Key Id needs a subscription for the service", "signed up for rds"),
        ("RegionDisabledException", "STS is not activated in this region", "enable it in the account's settings"),
        ("DecryptionFailure", "Secrets Manager can't decrypt the protected secret text", "KMS key"),
        ("KMS.DisabledException", "arn:aws:kms:us-east-1:1:key/2 is disabled.", "enable it"),
        ("KMSInvalidStateException", "arn:aws:kms:...:key/2 is pending deletion.", "cancel that"),
        (
            "InvalidRequestException",
            "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.",
            "customer key",
        ),
    ],
)
def test_what_somebody_must_change_names_the_cure(code: str, message: str, cure: str) -> None:
    unknown = explain(refused(code, message, 400), "rds", "describe_db_instances")
    assert (unknown.reason, unknown.transient) == (Reason.REFUSED, False)
    assert cure in unknown.hint


def test_a_token_that_no_region_knows_may_be_good_elsewhere() -> None:
    hint = explain(refused("InvalidClientTokenId", "The security token is invalid.", 403), "sts", "x").hint
    assert "the region is not enabled" in hint


@pytest.mark.parametrize("module", MODULES)
def test_every_error_that_aws_has_for_a_call_is_either_passing_or_told_at_once(module: str) -> None:
    """By AWS's own model: its fault passes by itself, the caller's does not, unless it is a limit or a change under way."""
    wrong = []
    for service, operation, _ in calls(module):
        client = boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        name = client.meta.method_to_api_mapping.get(operation)
        for shape in client.meta.service_model.operation_model(name).error_shapes if name else ():
            error = shape.metadata.get("error", {})
            code, status = error.get("code", shape.name), error.get("httpStatusCode", 400)
            unknown = explain(refused(code, "the words of AWS", status), service, operation)
            theirs = shape.metadata.get("fault", False) or status >= 500
            passing = unknown.transient or unknown.reason is Reason.THROTTLED
            if passing != (theirs or bool(BUSY.search(code))):
                wrong.append(f"{operation} {code} {status}: {unknown.reason}")
    assert not wrong


BUSY = re.compile(
    r"Throttl|ServerException|InternalServiceError|TooManyRequests|LimitExceeded|Conflict|InUse|UpdateInProgress|Unavailable|InvalidDBInstanceState|InvalidDBSnapshotState"
)
