"""Simulated ECS: services, deployments, tasks and their target groups."""
