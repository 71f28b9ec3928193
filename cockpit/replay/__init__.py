"""Replay: the readings and entries of a record, decided again."""
