"""Runs one of the systems of the five documents that rnnzoo is founded on."""

from rnnzoo_cli.founding import founding as main
from rnnzoo_cli.running import run

if __name__ == "__main__":
    run(main)
