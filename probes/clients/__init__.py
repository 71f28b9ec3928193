"""How probes reach the world: AWS, PostgreSQL, HTTP, files and commands, each with its deadline and its errors."""
