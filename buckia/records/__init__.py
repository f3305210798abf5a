"""What runs did, made to last and told again: journal and lockfile written, copied and read."""
