"""Names as AWS has them: the partition of a region, resource names (ARNs) in it, and the short name within one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probes.clients.clients import AwsOptions

_PARTITIONS = (
    ("cn-", "aws-cn", "console.amazonaws.cn"),
    ("us-gov-", "aws-us-gov", "console.amazonaws-us-gov.com"),
    ("us-isob-", "aws-iso-b", "console.sc2shome.sgov.gov"),
    ("us-isof-", "aws-iso-f", "console.csphome.hci.ic.gov"),
    ("us-iso-", "aws-iso", "console.c2shome.ic.gov"),
    ("eu-isoe-", "aws-iso-e", "console.csphome.adc-e.uk"),
    ("eusc-", "aws-eusc", "console.amazonaws-eusc.eu"),
    ("", "aws", "console.aws.amazon.com"),
)
"""By the beginning of a region's name: partition, and where its console is. Partitions and regions as botocore's own table of
endpoints has them; consoles of China, GovCloud and the European Sovereign Cloud as their "service endpoints" pages name them."""


def partition(region: str) -> str:
    """The partition of a region; "aws" where none is known.

    >>> partition("us-east-1"), partition("us-gov-west-1"), partition("cn-north-1")
    ('aws', 'aws-us-gov', 'aws-cn')
    """
    return next(name for start, name, _ in _PARTITIONS if region.startswith(start))


def console(region: str, path: str) -> str:
    """A page of the console; empty where the region is not known.

    >>> console("us-gov-west-1", "ecs/v2/clusters")
    'https://us-gov-west-1.console.amazonaws-us-gov.com/ecs/v2/clusters'
    """
    if not region:
        return ""
    return f"https://{region}.{next(home for start, _, home in _PARTITIONS if region.startswith(start))}/{path}"


def arn(options: AwsOptions, service: str, resource: str) -> str:
    """A resource of the account and region that are asked; `*` for what is not known of them."""
    return arn_in(options.region, options.account, service, resource)


def arn_in(region: str, account: str, service: str, resource: str) -> str:
    """A resource of an account in a region: those of S3 name neither, those of IAM, CloudFront, dashboards no region.

    >>> arn_in("us-gov-west-1", "123456789012", "ecs", "cluster/prod")
    'arn:aws-us-gov:ecs:us-gov-west-1:123456789012:cluster/prod'
    >>> arn_in("us-east-1", "123456789012", "s3", "bucket/*"), arn_in("", "", "iam", "role/x")
    ('arn:aws:s3:::bucket/*', 'arn:aws:iam::*:role/x')
    """
    if is_arn(resource):
        return resource
    of_the_account = f":{account or '*'}"
    where = {"s3": ":", "iam": of_the_account, "cloudfront": of_the_account}.get(
        service, f"{region or '*'}{of_the_account}"
    )
    if service == "cloudwatch" and resource.startswith("dashboard/"):
        where = f":{account or '*'}"
    return f"arn:{partition(region)}:{service}:{where}:{resource}"


def is_arn(name: str) -> bool:
    return bool(re.match(r"arn:[a-z0-9-]+:[a-z0-9-]+:", name))


def last_part(name: str) -> str:
    """Of an ARN what stands after the last slash; anything else as it is.

    >>> last_part("arn:aws:ecs:us-east-1:123456789012:service/prod/web"), last_part("web")
    ('web', 'web')
    """
    return name.rpartition("/")[2] if is_arn(name) else name


def log_group(name: str) -> str:
    """Of a log group's ARN its name; a name as it is.

    >>> log_group("arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web:*")
    '/ecs/web'
    """
    return name.split(":log-group:", 1)[1].removesuffix(":*") if is_arn(name) and ":log-group:" in name else name
