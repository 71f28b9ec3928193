"""SQS: how much waits in a queue, for how long, and what has been given up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints

from probes.aws.newest_minute import NewestMinute
from probes.clients.arns import arn, console
from probes.clients.clients import Clients
from probes.clients.metrics import MetricQuery
from probes.clients.paging import request_id
from probes.demand import AWS_ALONE
from probes.periods import Duration
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.three_valued import FieldValue, sorted_out

_COUNTS = {
    "waiting": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}
_ASKED = [*_COUNTS.values(), "RedrivePolicy", "KmsMasterKeyId", "SqsManagedSseEnabled", "VisibilityTimeout"]
_METRICS = ("oldest_age_s", "sent_per_min", "deleted_per_min")


def _queue_name(text: str) -> str:
    """Of a URL or an ARN the name.

    >>> _queue_name("https://sqs.us-east-1.amazonaws.com/123456789012/jobs.fifo"), _queue_name("jobs")
    ('jobs.fifo', 'jobs')
    """
    return text.rpartition("/")[2] if "://" in text else text.rpartition(":")[2]


QueueName = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(_queue_name)]


class SqsQueueParams(Params):
    queue: QueueName
    """Name of the queue, its URL or its ARN; of a FIFO queue with `.fifo`."""
    dead_letter_queue: QueueName | None = None
    """Name of the queue that takes what was received too often: then `dead_letters` counts what is in it."""
    settle: Duration | None = None
    """How long after its end a minute of the metrics is still filling up; default 2m. One that is seen to change later counts
    later."""


class SqsQueue(Probe[SqsQueueParams]):
    """An SQS queue: messages waiting, in flight and given up, and the age of the oldest.

    Reads sqs GetQueueUrl and GetQueueAttributes (ApproximateNumberOfMessages, ...NotVisible, ...Delayed, RedrivePolicy,
    KmsMasterKeyId, SqsManagedSseEnabled, VisibilityTimeout), of the dead-letter queue the same; CloudWatch AWS/SQS by
    QueueName, the newest minute that is final: ApproximateAgeOfOldestMessage (Maximum), NumberOfMessagesSent and
    NumberOfMessagesDeleted (Sum). A queue that nobody used for six hours publishes no metrics. A call that fails makes
    only its fields unknown.
    """

    name = "sqs.queue"
    params_type = SqsQueueParams
    demands = AWS_ALONE
    subjects = ("sqs", "queue")
    cannot_see = "whether the work was right; oldest_age_s leaves out what was received three times and not deleted"
    late = "counts about a minute, and approximate; age and rates by a period and the settle, about 3 minutes"
    fields = (
        Field("waiting", int, "messages that can be received now", 12, "count", low=0),
        Field("in_flight", int, "messages received and not yet deleted", 3, "count", low=0),
        Field("delayed", int, "messages that may not be received yet", 0, "count", low=0),
        Field("oldest_age_s", float, "age of the oldest message that is not deleted", 4.0, "s", low=0),
        Field("sent_per_min", int, "messages sent in the newest minute that is final", 340, "count", low=0),
        Field("deleted_per_min", int, "messages deleted in that minute: work that was done", 338, "count", low=0),
        Field("has_dead_letter_queue", bool, "what is received too often goes to another queue", example=True),
        Field("max_receives", int, "after so many receives it goes there", 5, "count", low=1),
        Field("dead_letters", int, "messages in the dead-letter queue that the plan names", 0, "count", low=0),
        Field("encrypted", bool, "at rest, by SQS's own key or one of KMS", example=True),
        Field("visibility_timeout_s", int, "for how long a received message is hidden", 30, "s", low=0),
    )
    iam = ("sqs:GetQueueUrl", "sqs:GetQueueAttributes", "cloudwatch:GetMetricData")

    def __init__(self, params: SqsQueueParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._newest = NewestMinute(clients, params.settle)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        named = [each for each in (self.params.queue, self.params.dead_letter_queue) if each]
        arns = tuple(arn(self.clients.options, "sqs", each) for each in named)
        return dict.fromkeys(self.iam[:2], arns)

    async def read(self, now: datetime) -> Reading:
        queue, dead = self.params.queue, self.params.dead_letter_queue
        query = f"sqs get-queue-attributes --queue-url {queue} --attribute-names All"
        (held, answer, url), dead_letters, metrics = await asyncio.gather(
            self._attributes(queue), self._dead_letters(dead), self._metrics(now)
        )
        if isinstance(held, Unknown) and held.reason is Reason.NOT_FOUND:
            return self.blind(now, held, Evidence(query))
        values, unknown = sorted_out(_values(held) | dead_letters | metrics)
        region = self.clients.options.region
        page = console(region, f"sqs/v3/home?region={region}#/queues/{url.replace('/', '%2F')}") if url else ""
        return self.reading(now, values, unknown=unknown, evidence=Evidence(query, request_id(answer), page))

    async def _attributes(self, queue: str) -> tuple[Mapping[str, str] | Unknown, Mapping[str, Any], str]:
        """The attributes or why not, the answer they came in, and the queue's URL."""
        try:
            url = str((await self.clients.aws("sqs", "get_queue_url", QueueName=queue)).get("QueueUrl", ""))
            answer = await self.clients.aws("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=_ASKED)
        except Unseen as unseen:
            return unseen.unknown, {}, ""
        return answer.get("Attributes") or {}, answer, url

    async def _dead_letters(self, queue: str | None) -> dict[str, FieldValue]:
        if queue is None:
            hint = "name it as dead_letter_queue"
            return {"dead_letters": Unknown(Reason.NO_DATA, "the plan names no dead-letter queue", hint)}
        held, _, _ = await self._attributes(queue)
        return {"dead_letters": held if isinstance(held, Unknown) else _int(held, _COUNTS["waiting"])}

    async def _metrics(self, now: datetime) -> dict[str, FieldValue]:
        of = (("QueueName", self.params.queue),)
        asked = [
            MetricQuery("AWS/SQS", "ApproximateAgeOfOldestMessage", of, "Maximum"),
            MetricQuery("AWS/SQS", "NumberOfMessagesSent", of, "Sum"),
            MetricQuery("AWS/SQS", "NumberOfMessagesDeleted", of, "Sum"),
        ]
        try:
            (age, sent, deleted), until = await self._newest.read(asked, now)
        except Unseen as unseen:
            return dict.fromkeys(_METRICS, unseen.unknown)
        hint = "a queue that nobody used for six hours publishes none: send it something"
        none = Unknown(Reason.NO_DATA, f"CloudWatch has no minute of it up to {until:%H:%M}", hint)
        return {
            "oldest_age_s": none if age is None else age,
            "sent_per_min": none if sent is None else round(sent),
            "deleted_per_min": none if deleted is None else round(deleted),
        }


def _values(held: Mapping[str, str] | Unknown) -> dict[str, FieldValue]:
    others = ("has_dead_letter_queue", "max_receives", "encrypted", "visibility_timeout_s")
    if isinstance(held, Unknown):
        return dict.fromkeys((*_COUNTS, *others), held)
    if not held:
        return dict.fromkeys((*_COUNTS, *others), Unknown(Reason.NO_DATA, "SQS answered without attributes"))
    redrive = _redrive(held.get("RedrivePolicy", ""))
    none = Unknown(Reason.NO_DATA, "it has no redrive policy", "give it a dead-letter queue")
    counts: dict[str, FieldValue] = {field: _int(held, name) for field, name in _COUNTS.items()}
    return counts | {
        "has_dead_letter_queue": redrive if isinstance(redrive, Unknown) else bool(redrive.get("deadLetterTargetArn")),
        "max_receives": redrive
        if isinstance(redrive, Unknown)
        else _number(redrive.get("maxReceiveCount"))
        if redrive
        else none,
        # Without a key of KMS SQS says whether its own encrypts; where it says neither, that is not known.
        "encrypted": True if held.get("KmsMasterKeyId") else _yes_no(held.get("SqsManagedSseEnabled")),
        "visibility_timeout_s": _int(held, "VisibilityTimeout"),
    }


def _redrive(text: str) -> Mapping[str, Any] | Unknown:
    try:
        held = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        held = None
    return (
        held
        if isinstance(held, dict)
        else Unknown(Reason.ERROR, "its redrive policy cannot be read", "see the console")
    )


def _yes_no(text: str | None) -> bool | None:
    return {"true": True, "false": False}.get(str(text).lower())


def _int(held: Mapping[str, str], name: str) -> int | None:
    """An answer without it is no zero."""
    return _number(held.get(name))


def _number(text: Any) -> int | None:
    return int(text) if text is not None and str(text).isdigit() else None
