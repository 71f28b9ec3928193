"""Probes of AWS: one file per service, and per kind of question where a service is asked several."""
