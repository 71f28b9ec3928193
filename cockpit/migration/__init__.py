"""The files' move from PostgreSQL to S3: a ledger in the same database, and phases that can be repeated."""
