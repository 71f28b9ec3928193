"""Simulated CloudWatch Logs: events, filter patterns and Logs Insights."""
