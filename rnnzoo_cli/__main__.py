"""Lets `python -m rnnzoo_cli` do what `rnnzoo` does."""

from rnnzoo_cli import main

main()
