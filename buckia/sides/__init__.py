"""Both sides looked at: what is at a key, what is inside of files and databases, whose they are."""
