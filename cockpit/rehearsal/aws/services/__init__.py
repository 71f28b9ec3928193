"""Simulated AWS services of one file each: RDS, STS and IAM, CloudTrail, S3, and faults put into any of them."""
