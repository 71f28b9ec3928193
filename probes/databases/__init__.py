"""Probes of databases: PostgreSQL, the schema Prisma keeps in it, and Redis."""
