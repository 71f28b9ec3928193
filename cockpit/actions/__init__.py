"""Actions the cockpit can perform on the environment, once it is armed and a person has typed the confirmation."""
