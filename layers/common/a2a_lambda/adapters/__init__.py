"""Agents that were written for something else. Nothing of theirs is imported before a step runs."""
