"""What a plan can do and what it cannot, proven before the night."""
