"""Mutation testing: the changes (mutants.py), those that change no result (equivalent.py), a process for each (forks.py), and mutate.py."""
