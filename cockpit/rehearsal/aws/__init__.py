"""Simulated AWS."""

from cockpit.rehearsal.aws import botocore_tables

botocore_tables.share()  # before moto is imported, which opens sessions at once
