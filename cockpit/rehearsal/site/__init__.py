"""What stands before and beside the application: load balancer, certificates, vendors, users and telemetry."""
