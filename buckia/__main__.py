"""`python -m buckia`."""

from buckia.cli import main

if __name__ == "__main__":
    main()
