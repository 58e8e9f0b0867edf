"""Tests of what is done at test time."""
