"""The metrics that AWS itself publishes, by namespace, with the dimensions it publishes them under.

A count that AWS does not publish while it is zero looks just like a misspelt name: only a table can tell them apart. Names and
dimensions are those of the services' own documentation ("CloudWatch metrics for ..."); a namespace that is not here is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType

from probes.suggestion import suggestion

Dimensions = frozenset[str]
ALIKE = 0.75
"""How alike two names are for one to be meant by the other: those of a namespace are alike anyhow."""


def _sets(*each: str) -> frozenset[Dimensions]:
    """Sets of dimensions: "A B" is one of two, "" is none."""
    return frozenset(frozenset(one.split()) for one in each)


_BALANCER = _sets("LoadBalancer", "AvailabilityZone LoadBalancer")
_TARGETS = _sets("LoadBalancer TargetGroup", "AvailabilityZone LoadBalancer TargetGroup")
_BOTH = _BALANCER | _TARGETS
_PER_TARGET = _TARGETS | _sets("TargetGroup", "AvailabilityZone TargetGroup")

_APPLICATION_BALANCER = {
    _sets(
        "LoadBalancer"
    ): "ConsumedLCUs PeakLCUs ReservedLCUs RuleEvaluations ActiveConnectionCount NewConnectionCount "
    "LowReputationPacketsDropped LowReputationRequestsDenied BYoIPUtilPercentage",
    _BALANCER: "ClientTLSNegotiationErrorCount DesyncMitigationMode_NonCompliant_Request_Count GrpcRequestCount "
    "DroppedInvalidHeaderRequestCount ForwardedInvalidHeaderRequestCount HTTP_Fixed_Response_Count HTTP_Redirect_Count "
    "HTTP_Redirect_Url_Limit_Exceeded_Count HTTPCode_ELB_3XX_Count HTTPCode_ELB_4XX_Count HTTPCode_ELB_5XX_Count "
    "HTTPCode_ELB_500_Count HTTPCode_ELB_502_Count HTTPCode_ELB_503_Count HTTPCode_ELB_504_Count IPv6ProcessedBytes "
    "NonStickyRequestCount ProcessedBytes RejectedConnectionCount StandardProcessedBytes ELBAuthError ELBAuthFailure "
    "ELBAuthLatency ELBAuthRefreshTokenSuccess ELBAuthSuccess ELBAuthUserClaimsSizeExceeded",
    _BOTH: "IPv6RequestCount RequestCount HTTPCode_Target_2XX_Count HTTPCode_Target_3XX_Count HTTPCode_Target_4XX_Count "
    "HTTPCode_Target_5XX_Count TargetConnectionErrorCount TargetResponseTime TargetTLSNegotiationErrorCount "
    "LambdaInternalError LambdaTargetProcessedBytes LambdaUserError",
    _TARGETS: "HealthyHostCount UnHealthyHostCount HealthyStateDNS HealthyStateRouting UnhealthyStateDNS UnhealthyStateRouting "
    "UnhealthyRoutingRequestCount AnomalousHostCount MitigatedHostCount ZonalShiftedHostCount",
    _PER_TARGET: "RequestCountPerTarget",
}
_NETWORK_BALANCER = {
    _BALANCER: "ActiveFlowCount ActiveFlowCount_TCP ActiveFlowCount_TLS ActiveFlowCount_UDP ActiveFlowCount_QUIC "
    "ActiveZonalShiftHostCount ClientTLSNegotiationErrorCount ConsumedLCUs ConsumedLCUs_TCP ConsumedLCUs_TLS ConsumedLCUs_UDP "
    "NewFlowCount NewFlowCount_TCP NewFlowCount_TLS NewFlowCount_UDP PeakBytesPerSecond PeakPacketsPerSecond "
    "PortAllocationErrorCount ProcessedBytes ProcessedBytes_TCP ProcessedBytes_TLS ProcessedBytes_UDP ProcessedPackets "
    "RejectedFlowCount RejectedFlowCount_TCP ReservedLCUs SecurityGroupBlockedFlowCount_Inbound_ICMP "
    "SecurityGroupBlockedFlowCount_Inbound_TCP SecurityGroupBlockedFlowCount_Inbound_UDP "
    "SecurityGroupBlockedFlowCount_Outbound_ICMP SecurityGroupBlockedFlowCount_Outbound_TCP "
    "SecurityGroupBlockedFlowCount_Outbound_UDP TCP_Client_Reset_Count TCP_ELB_Reset_Count TCP_Target_Reset_Count "
    "TargetTLSNegotiationErrorCount",
    _TARGETS: "HealthyHostCount UnHealthyHostCount UnhealthyRoutingFlowCount ZonalHealthStatus ZonalShiftedHostCount",
    _sets("AvailabilityZone LoadBalancer TargetGroup"): "MitigatedHostCount",
}
_DATABASES = {
    _sets(
        "DBInstanceIdentifier",
        "DBClusterIdentifier",
        "DBClusterIdentifier Role",
        "DbClusterIdentifier EngineName",
        "DatabaseClass",
        "EngineName",
        "SourceRegion",
        "",
    ): "ACUUtilization ActiveTransactions AuroraBinlogReplicaLag AuroraReplicaLag AuroraReplicaLagMaximum "
    "AuroraReplicaLagMinimum BackupRetentionPeriodStorageUsed BinLogDiskUsage BlockedTransactions BufferCacheHitRatio "
    "BurstBalance CPUCreditBalance CPUCreditUsage CPUSurplusCreditBalance CPUSurplusCreditsCharged CPUUtilization "
    "CheckpointLag CommitLatency CommitThroughput ConnectionAttempts DBLoad DBLoadCPU DBLoadNonCPU DBLoadRelativeToNumVCPUs "
    "DDLLatency DDLThroughput DMLLatency DMLThroughput DatabaseConnections Deadlocks "
    "DeleteLatency DeleteThroughput DiskQueueDepth EBSByteBalance% EBSIOBalance% EngineUptime FailedSQLServerAgentJobsCount "
    "FreeLocalStorage FreeLocalStorageLogVolume FreeStorageSpace FreeStorageSpaceLogVolume FreeableMemory InsertLatency "
    "InsertThroughput LoginFailures MaximumUsedTransactionIDs NetworkReceiveThroughput NetworkThroughput "
    "NetworkTransmitThroughput NumBinaryLogFiles OldestLogicalReplicationSlotLag OldestReplicationSlotLag "
    "PurgeBoundary Queries RDSToAuroraPostgreSQLReplicaLag ReadIOPS ReadIOPSLogVolume ReadIOPSLocalStorage ReadLatency "
    "ReadLatencyLogVolume ReadThroughput ReadThroughputLogVolume ReplicaLag ReplicationChannelLag ReplicationSlotDiskUsage "
    "ResultSetCacheHitRatio RollbackSegmentHistoryListLength RowLockTime SelectLatency SelectThroughput "
    "ServerlessDatabaseCapacity SnapshotStorageUsed StorageNetworkReceiveThroughput StorageNetworkThroughput "
    "StorageNetworkTransmitThroughput SwapUsage TempStorageIOPS TempStorageThroughput TotalBackupStorageBilled "
    "TransactionLogsDiskUsage TransactionLogsGeneration UpdateLatency UpdateThroughput VolumeBytesUsed VolumeReadIOPs "
    "VolumeWriteIOPs WriteIOPS WriteIOPSLogVolume WriteLatency WriteLatencyLogVolume WriteThroughput WriteThroughputLogVolume "
    "AuroraVolumeBytesLeftTotal AuroraEstimatedSharedMemoryBytes DiskQueueDepthLogVolume AbortedClients "
    "ForwardingReplicaOpenSessions",
    _sets("ProxyName", "ProxyName TargetGroup", "ProxyName TargetGroup TargetRole", "ProxyName TargetGroup Target"): (
        "AvailabilityPercentage ClientConnections ClientConnectionsClosed ClientConnectionsNoTLS ClientConnectionsReceived "
        "ClientConnectionsSetupFailedAuth ClientConnectionsSetupSucceeded ClientConnectionsTLS "
        "DatabaseConnectionRequests DatabaseConnectionRequestsWithTLS DatabaseConnectionsBorrowLatency "
        "DatabaseConnectionsCurrentlyBorrowed DatabaseConnectionsCurrentlyInTransaction "
        "DatabaseConnectionsCurrentlySessionPinned DatabaseConnectionsSetupFailed DatabaseConnectionsSetupSucceeded "
        "DatabaseConnectionsWithTLS MaxDatabaseConnectionsAllowed QueryDatabaseResponseLatency QueryRequests "
        "QueryRequestsNoTLS QueryRequestsTLS QueryResponseLatency"
    ),
}
_CONTAINERS = {
    _sets("ClusterName", "ClusterName ServiceName"): "CPUUtilization MemoryUtilization EBSFilesystemUtilization",
    _sets("ClusterName"): "CPUReservation MemoryReservation GPUReservation",
    _sets(
        "ClusterName ServiceName", "DiscoveryName ServiceName ClusterName", "DiscoveryName", "DiscoveryName TargetDiscoveryName",
        "TargetDiscoveryName", "TargetDiscoveryName ServiceName ClusterName",
    ): "ActiveConnectionCount NewConnectionCount ProcessedBytes RequestCount GrpcRequestCount HTTPCode_Target_2XX_Count "
    "HTTPCode_Target_3XX_Count HTTPCode_Target_4XX_Count HTTPCode_Target_5XX_Count RequestCountPerTarget TargetProcessedBytes "
    "TargetResponseTime ClientTLSNegotiationErrorCount TargetTLSNegotiationErrorCount",
}  # fmt: skip
_BUCKETS = {
    _sets(
        "BucketName FilterId"
    ): "AllRequests GetRequests PutRequests DeleteRequests HeadRequests PostRequests SelectRequests "
    "SelectBytesScanned SelectBytesReturned ListRequests BytesDownloaded BytesUploaded 4xxErrors 5xxErrors FirstByteLatency "
    "TotalRequestLatency",
    _sets("BucketName StorageType"): "BucketSizeBytes NumberOfObjects",
    _sets(
        "SourceBucket DestinationBucket RuleId"
    ): "ReplicationLatency BytesPendingReplication OperationsPendingReplication OperationsFailedReplication",
}
_QUEUES = {
    _sets("QueueName"): "ApproximateAgeOfOldestMessage ApproximateNumberOfGroupsWithInflightMessages "
    "ApproximateNumberOfMessagesDelayed ApproximateNumberOfMessagesNotVisible ApproximateNumberOfMessagesVisible "
    "ApproximateNumberOfNoisyGroups NumberOfDeduplicatedSentMessages NumberOfEmptyReceives NumberOfMessagesDeleted "
    "NumberOfMessagesReceived NumberOfMessagesSent SentMessageSize",
}
_FUNCTIONS = {
    _sets(
        "", "FunctionName", "FunctionName Resource", "FunctionName Resource ExecutedVersion"
    ): "Invocations Errors Throttles "
    "Duration DeadLetterErrors DestinationDeliveryFailures OversizedRecordCount ProvisionedConcurrencyInvocations "
    "ProvisionedConcurrencySpilloverInvocations RecursiveInvocationsDropped PostRuntimeExtensionsDuration IteratorAge OffsetLag "
    "ConcurrentExecutions ProvisionedConcurrentExecutions ProvisionedConcurrencyUtilization AsyncEventsReceived AsyncEventAge "
    "AsyncEventsDropped UrlRequestCount UrlRequestLatency Url4xxCount Url5xxCount",
    _sets(""): "UnreservedConcurrentExecutions ClaimedAccountConcurrency",
    _sets("EventSourceMappingUUID"): "PolledEventCount FilteredOutEventCount InvokedEventCount FailedInvokeEventCount "
    "DroppedEventCount OnFailureDestinationDeliveredEventCount DeletedEventCount ProvisionedPollers EventPollerUnit",
}


def _by_name(published: Mapping[frozenset[Dimensions], str]) -> Mapping[str, frozenset[Dimensions]]:
    found: dict[str, frozenset[Dimensions]] = {}
    for dimensions, names in published.items():
        for name in names.split():
            found[name] = found.get(name, frozenset()) | dimensions
    return MappingProxyType(found)


PUBLISHED: Mapping[str, Mapping[str, frozenset[Dimensions]]] = MappingProxyType(
    {
        "AWS/ApplicationELB": _by_name(_APPLICATION_BALANCER),
        "AWS/NetworkELB": _by_name(_NETWORK_BALANCER),
        "AWS/RDS": _by_name(_DATABASES),
        "AWS/ECS": _by_name(_CONTAINERS),
        "AWS/S3": _by_name(_BUCKETS),
        "AWS/SQS": _by_name(_QUEUES),
        "AWS/Lambda": _by_name(_FUNCTIONS),
    }
)
"""By namespace and name: the sets of dimensions it is published under. Closed: what is not here is not published."""


_DAILY = ("BucketSizeBytes", "NumberOfObjects")
_FIVE_MINUTELY = (
    "CPUCreditBalance", "CPUCreditUsage", "CPUSurplusCreditBalance", "CPUSurplusCreditsCharged",
    "VolumeBytesUsed", "VolumeReadIOPs", "VolumeWriteIOPs",
)  # fmt: skip


def published_every(namespace: str, metric: str) -> timedelta:
    """How far apart AWS's points of a metric are, where it is further than a minute."""
    if namespace == "AWS/S3" and metric in _DAILY:
        return timedelta(days=1)
    if namespace == "AWS/RDS" and metric in _FIVE_MINUTELY:
        return timedelta(minutes=5)
    return timedelta(minutes=1)


def known_lateness(namespace: str, metric: str) -> timedelta | None:
    """How late AWS's own documentation says a metric may be, where it is later than usual: S3's request metrics.

    >>> known_lateness("AWS/S3", "4xxErrors")
    datetime.timedelta(seconds=900)
    """
    return timedelta(minutes=15) if namespace == "AWS/S3" and metric not in _DAILY else None


def is_published(namespace: str, metric: str, dimensions: Iterable[str]) -> bool:
    """Whether AWS itself publishes this: then a period without a point may mean zero."""
    return frozenset(dimensions) in PUBLISHED.get(namespace, {}).get(metric, frozenset())


def problem(namespace: str, metric: str, dimensions: Iterable[str] | None) -> str | None:
    """Why AWS never publishes this, for a namespace of the table; None where it does, or where nothing is known.

    `dimensions`: None for whichever it has.

    >>> problem("AWS/ApplicationELB", "HTTPCode_Target_5xx_Count", ["LoadBalancer"])
    "AWS/ApplicationELB has no metric 'HTTPCode_Target_5xx_Count'; did you mean 'HTTPCode_Target_5XX_Count'?"
    >>> problem("Orders", "anything", [])
    """
    names = PUBLISHED.get(namespace)
    if names is None:
        near = suggestion(namespace, PUBLISHED, cutoff=ALIKE)
        return f"there is no namespace '{namespace}'{near}" if near and namespace.startswith("AWS/") else None
    published = names.get(metric)
    if published is None:
        unlisted = "; with `unlisted: true` it is taken as it is, and unknown until it has a point"
        near = suggestion(metric, names, cutoff=ALIKE) or unlisted
        return f"{namespace} has no metric '{metric}'{near}"
    given = frozenset(dimensions or ())
    if dimensions is None or given in published:
        return None
    wanted = " or ".join(sorted(" + ".join(sorted(each)) or "no dimension" for each in published))
    return f"{namespace} {metric} is published by {wanted}, not by {' + '.join(sorted(given)) or 'no dimension'}"
