"""What happens in a rehearsal: scenarios, faults, releases, and the crew that signs and decides."""
