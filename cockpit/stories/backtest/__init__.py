"""The past of a plan: what it would have decided, from the metrics that are kept."""
