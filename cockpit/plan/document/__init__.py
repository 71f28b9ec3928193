"""What a plan file may hold: the document model, its entries, its JSON Schema and its validation messages."""
