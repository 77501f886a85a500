"""Mutation testing: the changes (mutants.py), those judged equivalent (equivalent.py), a process for each (forks.py), and mutate.py."""
