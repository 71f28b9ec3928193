"""A record played back: the same readings and the same words, decided again."""
