"""The rehearsed database: an embedded PostgreSQL server, its seed data, and a job that takes its connections."""
