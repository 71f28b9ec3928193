"""The AWS service models botocore carries: which operations there are, and the shapes of their input and output."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.loaders
import botocore.model

_MODEL_NAMES = {"monitoring": "cloudwatch", "elasticloadbalancing": "elbv2"}
"""Services whose requests are signed under another name than botocore's."""


@cache
def service_model(signing_name: str) -> Any:
    """botocore's model of the service that signs as `signing_name`. Raises botocore's UnknownServiceError."""
    name = _MODEL_NAMES.get(signing_name, signing_name)
    described = botocore.loaders.create_loader().load_service_model(name, "service-2")
    return botocore.model.ServiceModel(described, name)


@cache
def operation_model(signing_name: str, operation: str) -> Any:
    """The model of one operation. Raises botocore's OperationNotFoundError."""
    return service_model(signing_name).operation_model(operation)
