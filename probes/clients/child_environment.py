"""What the environment of a child process is: variables by name, for each kind of child; of nothing a whole family.

A name that is not here reaches no child, unless the plan names it for a program it runs (`environment`) or reads it itself
(`${env:NAME}`, for a phase of the migration, which loads the plan again), or its starter gives it a value of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from probes.frozen import frozen

PERSON = frozenset(
    {
        *("HOME", "USER", "LOGNAME", "TZ", "TMPDIR", "TMP", "TEMP"),
        *(
            "LANG",
            "LANGUAGE",
            "LC_ALL",
            "LC_COLLATE",
            "LC_CTYPE",
            "LC_MESSAGES",
            "LC_MONETARY",
            "LC_NUMERIC",
            "LC_TIME",
        ),
        *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"),
    }
)
"""Who runs it, where their files are, and in which language it speaks."""

NETWORK = frozenset(
    {
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    }
)
"""The way out, and which authorities are trusted on it."""

PYTHON = frozenset({"PYTHONUTF8", "PYTHONIOENCODING", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"})
"""How our interpreter writes; what makes it load other code is in no kind."""

AWS = frozenset(
    f"AWS_{name}"
    for name in (
        *("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "SECURITY_TOKEN", "CREDENTIAL_EXPIRATION"),
        *("PROFILE", "DEFAULT_PROFILE", "CONFIG_FILE", "SHARED_CREDENTIALS_FILE", "LOGIN_CACHE_DIRECTORY"),
        *("ROLE_ARN", "ROLE_SESSION_NAME", "WEB_IDENTITY_TOKEN_FILE"),
        *("CONTAINER_CREDENTIALS_RELATIVE_URI", "CONTAINER_CREDENTIALS_FULL_URI"),
        *("CONTAINER_AUTHORIZATION_TOKEN", "CONTAINER_AUTHORIZATION_TOKEN_FILE"),
        *("EC2_METADATA_DISABLED", "EC2_METADATA_SERVICE_ENDPOINT", "EC2_METADATA_SERVICE_ENDPOINT_MODE"),
        *("EC2_METADATA_V1_DISABLED", "IMDS_USE_IPV6", "METADATA_SERVICE_NUM_ATTEMPTS", "METADATA_SERVICE_TIMEOUT"),
        *("REGION", "DEFAULT_REGION", "ACCOUNT_ID", "ACCOUNT_ID_ENDPOINT_MODE", "DEFAULTS_MODE"),
        *("ENDPOINT_URL", "ENDPOINT_URL_S3", "ENDPOINT_URL_STS", "ENDPOINT_URL_SSO", "ENDPOINT_URL_SSO_OIDC"),
        *("IGNORE_CONFIGURED_ENDPOINT_URLS", "STS_REGIONAL_ENDPOINTS", "USE_DUALSTACK_ENDPOINT", "USE_FIPS_ENDPOINT"),
        *("DISABLE_HOST_PREFIX_INJECTION", "CA_BUNDLE", "MAX_ATTEMPTS", "RETRY_MODE", "SDK_UA_APP_ID"),
        *("REQUEST_CHECKSUM_CALCULATION", "RESPONSE_CHECKSUM_VALIDATION", "AUTH_SCHEME_PREFERENCE"),
        *("DISABLE_REQUEST_COMPRESSION", "REQUEST_MIN_COMPRESSION_SIZE_BYTES", "SIGV4A_SIGNING_REGION_SET"),
        *("S3_DISABLE_EXPRESS_SESSION_AUTH", "S3_DISABLE_MULTIREGION_ACCESS_POINTS", "S3_USE_ARN_REGION"),
        "S3_US_EAST_1_REGIONAL_ENDPOINT",
    )
)
"""How botocore finds credentials, region, S3 and STS."""

AWS_SERVICES = frozenset(
    f"AWS_ENDPOINT_URL_{name}"
    for name in (
        *("ACM", "CLOUDFRONT", "CLOUDTRAIL", "CLOUDWATCH", "CLOUDWATCH_LOGS", "CODEDEPLOY", "EC2", "ECR", "ECS"),
        *("ELASTICACHE", "ELASTIC_LOAD_BALANCING_V2", "IAM", "KMS", "LAMBDA", "RDS", "SECRETS_MANAGER", "SNS", "SQS"),
    )
)
"""Where the services are that guards and gates are judged by."""

POSTGRES = frozenset(
    f"PG{name}"
    for name in (
        *(
            "HOST",
            "HOSTADDR",
            "PORT",
            "DATABASE",
            "USER",
            "PASSWORD",
            "PASSFILE",
            "SERVICE",
            "SERVICEFILE",
            "SYSCONFDIR",
        ),
        *("SSLMODE", "SSLROOTCERT", "SSLCERT", "SSLCERTMODE", "SSLKEY", "SSLCRL", "SSLCRLDIR", "SSLSNI"),
        *("SSLCOMPRESSION", "SSLNEGOTIATION", "SSLMINPROTOCOLVERSION", "SSLMAXPROTOCOLVERSION"),
        *("MINPROTOCOLVERSION", "MAXPROTOCOLVERSION"),
        *("CHANNELBINDING", "REQUIREAUTH", "REQUIREPEER", "GSSENCMODE", "GSSLIB", "GSSDELEGATION", "KRBSRVNAME"),
        *("TARGETSESSIONATTRS", "LOADBALANCEHOSTS", "CONNECT_TIMEOUT", "CLIENTENCODING"),
    )
)
"""What libpq adds to a connection string: a child must reach the database that its starter was shown. Not `PGOPTIONS`."""

SESSION = frozenset({"SSH_AUTH_SOCK", "COCKPIT_TRUSTED_PLANS", "COCKPIT_CLOCK"})
"""The agent with people's keys, what the operator allowed, and a rehearsal's time."""


@frozen
class ChildKind:
    """A kind of child and the variables it gets where they are set, besides a safe PATH."""

    title: str
    names: frozenset[str] = frozenset()


PROBED = ChildKind("a program of a `command` probe: what `environment` names")
PROGRAM = ChildKind("`tailscale`, and the database of a rehearsal", PERSON)
WORLD = ChildKind("the simulated environment of a rehearsal", PERSON | PYTHON)
WORKER = ChildKind("a worker of the migration", PERSON | PYTHON | NETWORK | AWS | POSTGRES)
PHASE = ChildKind("a phase of the migration: also what the plan reads", WORKER.names | AWS_SERVICES | SESSION)
STORIES = ChildKind("a process that goes through stories", PERSON | PYTHON)
KINDS = (PROBED, PROGRAM, WORLD, WORKER, PHASE, STORIES)

_LEADING = ("LD_", "DYLD_", "PYTHON", "PERL5", "RUBY", "NODE_")
_LEADS = frozenset({"PATH", "BASH_ENV", "ENV", "IFS", "SHELLOPTS", "BASHOPTS", "GCONV_PATH", "CLASSPATH"})


def leads_elsewhere(name: str) -> bool:
    """Whether a variable makes a program load other code than is installed: no plan gives one to a child.

    >>> leads_elsewhere("LD_PRELOAD"), leads_elsewhere("PATH"), leads_elsewhere("ENVIRONMENT")
    (True, True, False)
    """
    return name.startswith(_LEADING) or name in _LEADS


def child_environment(
    kind: ChildKind, environ: Mapping[str, str] | None = None, *, reads: Iterable[str] = ()
) -> dict[str, str]:
    """What a child of this kind gets of `environ` (this process's by default), the variables in `reads` too.

    PATH keeps its absolute folders alone: nothing is found in the folder somebody stands in.
    """
    environ = os.environ if environ is None else environ
    names = kind.names | {name for name in reads if not leads_elsewhere(name)}
    folders = (environ.get("PATH") or os.defpath).split(os.pathsep)
    safe = os.pathsep.join(folder for folder in folders if folder.startswith("/"))
    return {name: environ[name] for name in sorted(names) if name in environ} | {"PATH": safe}
