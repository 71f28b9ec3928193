"""The phases of the migration, each safe to repeat: copy, verify, purge, restore and sweep."""
