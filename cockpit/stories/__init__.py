"""Stories: a world written as readings, played and tested on a virtual clock, and proofs of what a plan can do."""
