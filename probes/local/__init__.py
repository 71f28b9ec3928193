"""Probes of the operator's own machine: its files, its VPN and its clock."""
