"""Simulated AWS."""

from cockpit.rehearsal.aws import botocore_tables

botocore_tables.share()  # before moto is imported, which opens sessions at once

from cockpit.rehearsal.aws import instance_catalogue  # noqa: E402 - importing it imports moto

instance_catalogue.leave_out()
