"""What the cockpit itself may do to the world, once it is armed and a person has typed the word for it."""
