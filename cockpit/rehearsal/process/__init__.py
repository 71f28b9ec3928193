"""The simulated environment as a process: its assembly, its start and end, its heartbeat and its folder."""
