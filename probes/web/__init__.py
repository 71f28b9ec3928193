"""Probes of what answers over HTTP and TLS: the application, its sign-in, its certificates and its vendors."""
