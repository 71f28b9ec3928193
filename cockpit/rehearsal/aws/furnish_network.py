"""The network of the healthy account: private subnets, security groups in a row, and an internal load balancer."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.rehearsal.aws.furnish_tools import NAME, PORT, SERVICE, Tools
from cockpit.rehearsal.certificates import Certificate


@dataclass(frozen=True, slots=True)
class Network:
    """Ids of what was made."""

    vpc: str
    subnets: tuple[str, ...]
    balancer_group: str
    task_group: str
    database_group: str


@dataclass(frozen=True, slots=True)
class Balancing:
    """ARNs of the load balancer, its target group and its certificate."""

    balancer: str
    target_group: str
    certificate: str


def furnish_network(tools: Tools) -> Network:
    """A VPC with two private subnets; only the load balancer reaches the tasks, only the tasks reach the database."""
    ec2 = tools.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{third}.0/24", AvailabilityZone=f"{tools.region}{zone}")
        for third, zone in ((10, "a"), (11, "b"))
    ]
    groups = {
        part: ec2.create_security_group(GroupName=f"{NAME}-{part}", Description=f"{NAME} {part}", VpcId=vpc)["GroupId"]
        for part in ("alb", "ecs", "db")
    }
    tailnet = {"IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "VPN"}]}
    sources = (
        ("alb", 443, tailnet),
        ("ecs", PORT, {"UserIdGroupPairs": [{"GroupId": groups["alb"]}]}),
        ("db", 5432, {"UserIdGroupPairs": [{"GroupId": groups["ecs"]}]}),
    )
    for part, port, source in sources:
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}
        ec2.authorize_security_group_ingress(GroupId=groups[part], IpPermissions=[rule])
    ids = tuple(each["Subnet"]["SubnetId"] for each in subnets)
    return Network(vpc, ids, groups["alb"], groups["ecs"], groups["db"])


def furnish_balancer(tools: Tools, network: Network, certificate: Certificate) -> Balancing:
    """An internal load balancer that ends TLS and forwards to the service's target group."""
    elb = tools.client("elbv2")
    balancer = elb.create_load_balancer(
        Name=f"{NAME}-alb",
        Subnets=list(network.subnets),
        SecurityGroups=[network.balancer_group],
        Scheme="internal",
        Type="application",
    )["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(
        Name=SERVICE,
        Protocol="HTTP",
        Port=PORT,
        VpcId=network.vpc,
        TargetType="ip",
        HealthCheckPath="/api/health",
        HealthCheckIntervalSeconds=15,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
        Matcher={"HttpCode": "200"},
    )["TargetGroups"][0]["TargetGroupArn"]
    acm = tools.client("acm")
    certificate_arn = acm.import_certificate(Certificate=certificate.pem, PrivateKey=certificate.key)["CertificateArn"]
    elb.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": certificate_arn}],
        SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    settings = {"idle_timeout.timeout_seconds": "60", "deletion_protection.enabled": "true"}
    elb.modify_load_balancer_attributes(
        LoadBalancerArn=balancer, Attributes=[{"Key": key, "Value": value} for key, value in settings.items()]
    )
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "15"}
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
    return Balancing(balancer, group, certificate_arn)
