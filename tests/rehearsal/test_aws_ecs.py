"""ECS: tasks come up, deployments roll, a release that never comes up is rolled back, and targets follow the tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rehearsal.test_aws_desk import START, Desk, code_of

from cockpit.rehearsal.aws.ecs.ecs import RunTask
from cockpit.rehearsal.aws.ecs.task import TaskBehaviour

PLACE = {"cluster": "transparent-trust-prod", "service": "transparent-trust-web"}


TARGETS = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/transparent-trust-web/73e2d6bc24d8a067"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/transparent-trust"


class Furnished(Desk):
    """A desk at an account with nothing but the service, which has been running for three days."""

    def __init__(self) -> None:
        super().__init__()
        self.first = self.release(1)
        place = (PLACE["cluster"], PLACE["service"], self.first, 2, TARGETS, "web", 3000)
        self.aws.ecs.create_service(*place, since=START - timedelta(days=3))

    @property
    def ecs(self) -> Any:
        return self.client("ecs")

    def release(self, number: int = 2) -> str:
        """Register a revision of its own image; its ARN."""
        container = {"name": "web", "image": f"{IMAGE}:{number}", "memory": 512, "essential": True}
        made = self.ecs.register_task_definition(family=PLACE["service"], containerDefinitions=[container])
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def service(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ecs.describe_services(cluster=PLACE["cluster"], services=[PLACE["service"]])[
            "services"
        ][0]
        return found

    def deployment(self) -> dict[str, Any]:
        newest = self.ecs.list_service_deployments(**PLACE)["serviceDeployments"][0]["serviceDeploymentArn"]
        found: dict[str, Any] = self.ecs.describe_service_deployments(serviceDeploymentArns=[newest])[
            "serviceDeployments"
        ][0]
        return found

    def tasks(self, status: str) -> list[dict[str, Any]]:
        cluster = PLACE["cluster"]
        arns = self.ecs.list_tasks(cluster=cluster, serviceName=PLACE["service"], desiredStatus=status)["taskArns"]
        return list(self.ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]) if arns else []

    def targets(self) -> Counter[str]:
        answer = self.client("elbv2").describe_target_health(TargetGroupArn=TARGETS)
        return Counter(each["TargetHealth"]["State"] for each in answer["TargetHealthDescriptions"])

    def events(self) -> list[str]:
        return [event["message"] for event in self.service()["events"]]


@pytest.fixture
def desk() -> Iterator[Furnished]:
    opened = Furnished()
    try:
        yield opened
    finally:
        opened.close()


def test_the_furnished_service_is_steady_and_has_been_for_days(desk: Furnished) -> None:
    service = desk.service()
    assert (service["desiredCount"], service["runningCount"], service["pendingCount"]) == (2, 2, 0)
    assert [d["rolloutState"] for d in service["deployments"]] == ["COMPLETED"]
    assert service["deploymentConfiguration"]["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    tasks = desk.tasks("RUNNING")
    assert [task["healthStatus"] for task in tasks] == ["HEALTHY", "HEALTHY"]
    assert all(desk.clock.time - task["startedAt"] > timedelta(days=2) for task in tasks)
    assert len({task["containers"][0]["imageDigest"] for task in tasks}) == 1
    assert desk.targets() == {"healthy": 2}
    assert desk.aws.ecs.serving_revision == 1
    assert desk.events()[0] == "(service transparent-trust-web) has reached a steady state."


def test_a_rolling_deployment_keeps_two_healthy_tasks_throughout(desk: Furnished) -> None:
    definition = desk.release()
    desk.ecs.update_service(**PLACE, taskDefinition=definition)
    seen: list[str] = []
    for _ in range(30):
        desk.wait(2, step=1)
        views = desk.aws.ecs.running()
        assert sum(view.state == "HEALTHY" for view in views) >= 2
        assert len(views) <= 4
        statuses = Counter(task["lastStatus"] for task in desk.tasks("RUNNING"))
        seen += [status for status in statuses if status not in seen]
    assert {"PROVISIONING", "PENDING", "RUNNING"} <= set(seen)
    service = desk.service()
    assert [(d["status"], d["rolloutState"], d["taskDefinition"]) for d in service["deployments"]] == [
        ("PRIMARY", "COMPLETED", definition)
    ]
    assert service["deployments"][0]["rolloutStateReason"].endswith("completed.")
    assert desk.aws.ecs.serving_revision == 2
    assert desk.deployment()["status"] == "SUCCESSFUL"
    stopped = desk.tasks("STOPPED")
    assert {task["stopCode"] for task in stopped} == {"ServiceSchedulerInitiated"}
    assert all(
        task["stoppedReason"].startswith("Scaling activity initiated by (deployment ecs-svc/") for task in stopped
    )
    assert any("has begun draining connections on 2 tasks." in event for event in desk.events())


def test_during_a_rollout_targets_are_initial_then_healthy_and_the_old_ones_drain(desk: Furnished) -> None:
    desk.ecs.update_service(**PLACE, taskDefinition=desk.release())
    desk.wait(8, step=1)
    assert desk.targets() == {"healthy": 2, "initial": 2}
    desk.wait(14, step=1)
    assert desk.targets() == {"healthy": 2, "draining": 2}
    desk.wait(20, step=1)
    assert desk.targets() == {"healthy": 2}


def test_the_record_of_a_deployment_tells_where_it_comes_from_and_how_it_goes(desk: Furnished) -> None:
    desk.ecs.update_service(**PLACE, taskDefinition=desk.release())
    desk.wait(10)
    going = desk.deployment()
    assert going["status"] == "IN_PROGRESS"
    assert going["deploymentCircuitBreaker"] == {"status": "MONITORING", "failureCount": 0, "threshold": 3}
    assert going["targetServiceRevision"]["requestedTaskCount"] == 2
    source, target = going["sourceServiceRevisions"][0]["arn"], going["targetServiceRevision"]["arn"]
    revisions = desk.ecs.describe_service_revisions(serviceRevisionArns=[source, target])["serviceRevisions"]
    digests = [revision["containerImages"][0]["imageDigest"] for revision in revisions]
    assert digests[0] != digests[1]
    desk.wait(60)
    assert desk.tasks("RUNNING")[0]["containers"][0]["imageDigest"] == digests[1]
    assert desk.deployment()["deploymentCircuitBreaker"]["status"] == "MONITORING_COMPLETE"
    after = {"after": START + timedelta(seconds=1)}
    assert desk.ecs.list_service_deployments(**PLACE, createdAt=after)["serviceDeployments"] == []


def test_a_release_that_never_comes_up_trips_the_breaker_and_is_rolled_back(desk: Furnished) -> None:
    definition = desk.release()
    desk.aws.ecs.behaviour[2] = TaskBehaviour(crash_after_s=12, exit_code=1)
    desk.aws.ecs.deploy(definition)
    most_failed = 0
    for _ in range(60):
        desk.wait(3)
        most_failed = max(most_failed, *(d["failedTasks"] for d in desk.service()["deployments"]))
        assert desk.aws.ecs.serving_revision == 1
        assert sum(view.state == "HEALTHY" for view in desk.aws.ecs.running()) == 2
    assert most_failed >= 3
    record = desk.deployment()
    assert record["status"] == "ROLLBACK_SUCCESSFUL"
    assert record["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    assert record["deploymentCircuitBreaker"]["failureCount"] >= 3
    assert "circuit breaker" in record["rollback"]["reason"]
    service = desk.service()
    assert [d["taskDefinition"] for d in service["deployments"]] == [desk.first]
    assert service["deployments"][0]["rolloutState"] == "COMPLETED"
    crashed = [task for task in desk.tasks("STOPPED") if task["stopCode"] == "EssentialContainerExited"]
    assert len(crashed) >= 3
    assert {task["containers"][0]["exitCode"] for task in crashed} == {1}
    assert {task["stoppedReason"] for task in crashed} == {"Essential container in task exited"}
    events = " ".join(desk.events())
    assert "deployment failed: tasks failed to start." in events
    assert "rolling back to deployment ecs-svc/" in events


def test_a_release_that_is_never_healthy_is_stopped_by_health_checks_and_rolled_back(desk: Furnished) -> None:
    definition = desk.release()
    desk.aws.ecs.behaviour[2] = TaskBehaviour(unhealthy_after_s=0)
    desk.aws.ecs.deploy(definition)
    desk.wait(15, step=1)
    assert desk.targets() == {"healthy": 2, "unhealthy": 2}
    desk.wait(300)
    assert desk.deployment()["status"] == "ROLLBACK_SUCCESSFUL"
    failed = [task for task in desk.tasks("STOPPED") if "health checks" in task["stoppedReason"]]
    assert len(failed) >= 3
    assert any("is unhealthy in (target-group" in event for event in desk.events())
    assert desk.aws.ecs.serving_revision == 1


def test_tasks_that_crash_later_are_replaced_without_a_rollback(desk: Furnished) -> None:
    desk.aws.ecs.behaviour[1].crash_after_s = 45
    desk.wait(10)
    assert {view.state for view in desk.aws.ecs.running()} == {"STARTING"}
    desk.wait(600)
    assert len(desk.tasks("STOPPED")) > 6
    assert desk.deployment()["status"] == "SUCCESSFUL"
    desk.aws.ecs.behaviour[1].crash_after_s = None
    desk.wait(120)
    assert desk.targets()["healthy"] == 2
    assert desk.events()[0].endswith("has reached a steady state.")


def test_one_big_jump_of_time_ends_where_small_steps_do() -> None:
    ends = []
    for step in (1.0, 7.0, 900.0):
        desk = Furnished()
        definition = desk.release()
        desk.aws.ecs.behaviour[2] = TaskBehaviour(crash_after_s=12, exit_code=1)
        desk.aws.ecs.deploy(definition)
        desk.wait(900, step=step)
        service = desk.service()
        record = desk.deployment()
        stopped = sorted(task["stoppedAt"] - START for task in desk.tasks("STOPPED"))
        ends.append(
            (service["events"][0]["createdAt"], record["status"], record["finishedAt"], stopped, desk.targets())
        )
        desk.close()
    assert ends[0] == ends[1] == ends[2]


def test_stopped_tasks_are_told_of_for_an_hour(desk: Furnished) -> None:
    desk.ecs.update_service(**PLACE, forceNewDeployment=True)
    desk.wait(120)
    assert len(desk.tasks("STOPPED")) == 2
    desk.wait(3500, step=60)
    assert len(desk.tasks("STOPPED")) == 2
    desk.wait(180, step=60)
    assert desk.tasks("STOPPED") == []


def test_a_deployment_under_way_can_be_stopped_and_rolled_back(desk: Furnished) -> None:
    desk.ecs.update_service(**PLACE, taskDefinition=desk.release())
    desk.wait(10)
    arn = desk.deployment()["serviceDeploymentArn"]
    assert (
        desk.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")["serviceDeploymentArn"] == arn
    )
    assert desk.deployment()["status"] == "ROLLBACK_IN_PROGRESS"
    desk.wait(120)
    assert desk.deployment()["status"] == "ROLLBACK_SUCCESSFUL"
    assert desk.aws.ecs.serving_revision == 1
    with pytest.raises(ClientError) as refused:
        desk.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    assert code_of(refused) == "ConflictException"


def test_a_newer_deployment_supersedes_the_one_under_way(desk: Furnished) -> None:
    desk.ecs.update_service(**PLACE, taskDefinition=desk.release(2))
    desk.wait(10)
    desk.ecs.update_service(**PLACE, taskDefinition=desk.release(3))
    assert [d["status"] for d in desk.service()["deployments"]] == ["PRIMARY", "ACTIVE", "ACTIVE"]
    desk.wait(120)
    listed = desk.ecs.list_service_deployments(**PLACE)["serviceDeployments"]
    assert [each["status"] for each in listed] == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]
    assert desk.aws.ecs.serving_revision == 3


def test_going_back_to_an_earlier_revision_is_a_deployment(desk: Furnished) -> None:
    desk.ecs.update_service(**PLACE, taskDefinition=desk.release())
    desk.wait(90)
    desk.ecs.update_service(**PLACE, taskDefinition=desk.first)
    desk.wait(90)
    assert desk.aws.ecs.serving_revision == 1
    assert desk.deployment()["status"] == "SUCCESSFUL"


def test_scaling_starts_and_stops_tasks_without_a_deployment(desk: Furnished) -> None:
    desk.ecs.update_service(**PLACE, desiredCount=4)
    desk.wait(60)
    assert desk.targets()["healthy"] == 4
    desk.ecs.update_service(**PLACE, desiredCount=1)
    desk.wait(60)
    assert desk.targets() == {"healthy": 1}
    assert len(desk.ecs.list_service_deployments(**PLACE)["serviceDeployments"]) == 1


def test_a_task_stopped_by_hand_is_replaced(desk: Furnished) -> None:
    victim = desk.tasks("RUNNING")[0]["taskArn"]
    desk.ecs.stop_task(cluster=PLACE["cluster"], task=victim, reason="drill")
    desk.wait(60)
    assert desk.targets() == {"healthy": 2}
    gone = desk.tasks("STOPPED")[0]
    assert (gone["taskArn"], gone["stopCode"], gone["stoppedReason"]) == (victim, "UserInitiated", "drill")


def test_run_task_tells_the_world_and_ends_when_the_world_says_so(desk: Furnished) -> None:
    begun: list[RunTask] = []
    desk.aws.ecs.on_run_task = begun.append
    override = {"containerOverrides": [{"name": "web", "command": ["migrate"]}]}
    made = desk.ecs.run_task(
        cluster=PLACE["cluster"], taskDefinition="transparent-trust-web", startedBy="cockpit", overrides=override
    )["tasks"][0]
    assert (begun[0].arn, begun[0].overrides, begun[0].started_by) == (made["taskArn"], override, "cockpit")
    desk.wait(30)
    described = desk.ecs.describe_tasks(cluster=PLACE["cluster"], tasks=[made["taskArn"]])["tasks"][0]
    assert described["lastStatus"] == "RUNNING"
    assert made["taskArn"] not in [task["taskArn"] for task in desk.tasks("RUNNING")]
    desk.aws.ecs.finish(made["taskArn"], exit_code=3)
    described = desk.ecs.describe_tasks(cluster=PLACE["cluster"], tasks=[made["taskArn"]])["tasks"][0]
    assert (described["lastStatus"], described["containers"][0]["exitCode"]) == ("STOPPED", 3)


def test_what_does_not_exist_is_said_as_ecs_says_it(desk: Furnished) -> None:
    cluster = PLACE["cluster"]
    assert desk.ecs.describe_services(cluster=cluster, services=["nope"])["failures"][0]["reason"] == "MISSING"
    assert desk.ecs.describe_tasks(cluster=cluster, tasks=["0" * 32])["failures"][0]["reason"] == "MISSING"
    refusals: tuple[tuple[Callable[[], object], str], ...] = (
        (lambda: desk.ecs.describe_services(cluster="nope", services=["x"]), "ClusterNotFoundException"),
        (lambda: desk.ecs.list_tasks(cluster=cluster, serviceName="nope"), "ServiceNotFoundException"),
        (lambda: desk.ecs.update_service(**PLACE, taskDefinition="nope:1"), "ClientException"),
    )
    for call, code in refusals:
        with pytest.raises(ClientError) as refused:
            call()
        assert code_of(refused) == code
