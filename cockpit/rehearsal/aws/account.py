"""The account a healthy cutover finds, furnished through the API as whoever ran the infrastructure's code would have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cockpit.rehearsal.aws.furnish_access import SECRETS, furnish_roles, furnish_secrets
from cockpit.rehearsal.aws.furnish_data import furnish_bucket, furnish_database
from cockpit.rehearsal.aws.furnish_network import Balancing, furnish_balancer, furnish_network
from cockpit.rehearsal.aws.furnish_service import (
    FIRST_TAG,
    furnish_migration_task,
    furnish_service,
    furnish_task_definition,
    register_release,
)
from cockpit.rehearsal.aws.furnish_tools import SERVICE, SITE, Tools
from cockpit.rehearsal.aws.furnish_watching import furnish_alarms, furnish_dashboard, furnish_logs
from cockpit.rehearsal.aws.simulation import SimulatedAws
from cockpit.rehearsal.certificates import Authority, Certificate


@dataclass(frozen=True, slots=True)
class Placed:
    """What others need to know of the furnished account."""

    alb_suffix: str
    """`app/transparent-trust-alb/<id>`, the value of CloudWatch's dimension LoadBalancer."""
    alb_arn: str
    target_group_arn: str
    target_group_suffix: str
    """`targetgroup/transparent-trust-web/<id>`, the value of CloudWatch's dimension TargetGroup."""
    certificate_arn: str
    task_definition_arn: str
    """Revision 1, which runs."""
    secrets: Mapping[str, str] = field(repr=False)
    """Values of the application's secrets by name."""

    @property
    def load_balancer(self) -> str:
        return self.alb_suffix

    @property
    def target_group(self) -> str:
        return self.target_group_suffix

    @property
    def vars(self) -> Mapping[str, str]:
        """What the plan cannot know beforehand."""
        return {"alb": self.alb_suffix, "target_group": SERVICE, "image_tag": FIRST_TAG}


def furnish(
    aws: SimulatedAws, endpoint: str, *, site_url: str = f"https://{SITE}", certificate: Certificate | None = None
) -> Placed:
    """Create everything, healthy; `endpoint` is what `aws.start()` answered. `certificate` is the site's own."""
    tools = _tools(aws, endpoint, site_url)
    try:
        network = furnish_network(tools)
        balancing = furnish_balancer(tools, network, certificate or Authority(tools.now).issue((SITE,)))
        furnish_roles(tools)
        secrets = furnish_secrets(tools)
        definition = furnish_task_definition(tools, secrets)
        furnish_migration_task(tools, secrets)
        furnish_service(tools, aws.ecs, definition, balancing.target_group, network)
        furnish_database(tools, network)
        furnish_bucket(tools)
        furnish_logs(tools)
        placed = _placed(balancing, definition)
        furnish_alarms(tools, aws.alarms, placed.alb_suffix)
        furnish_dashboard(tools, placed.alb_suffix)
    finally:
        tools.close()
    return placed


def release(aws: SimulatedAws, endpoint: str, number: int) -> str:
    """Register the next revision of the task definition, with an image of its own; its ARN. It is not deployed."""
    tools = _tools(aws, endpoint, f"https://{SITE}")
    try:
        return register_release(tools, number)
    finally:
        tools.close()


def _tools(aws: SimulatedAws, endpoint: str, site_url: str) -> Tools:
    return Tools(endpoint, aws.account, aws.region, aws.clock.now(), site_url)


def _placed(balancing: Balancing, definition: str) -> Placed:
    return Placed(
        alb_suffix=balancing.balancer.partition(":loadbalancer/")[2],
        alb_arn=balancing.balancer,
        target_group_arn=balancing.target_group,
        target_group_suffix=balancing.target_group.rpartition(":")[2],
        certificate_arn=balancing.certificate,
        task_definition_arn=definition,
        secrets=SECRETS,
    )
