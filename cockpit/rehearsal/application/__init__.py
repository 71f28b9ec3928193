"""The rehearsed application: a web service with sign-in, documents, a connection pool and a language model."""
