"""A plan file as text: its YAML tree with positions, its variables, and problems shown at their place."""
