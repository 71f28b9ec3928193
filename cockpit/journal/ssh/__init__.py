"""SSH signatures as OpenSSH makes and checks them: the format, the keys, and who may sign."""
