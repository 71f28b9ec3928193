"""From a validated document to the frozen Plan: probes, criteria, the migration and the cutover's context."""
