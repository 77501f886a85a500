"""Mutation testing: what is changed (mutants.py), what was judged equivalent (equivalent.py), and small tests that find such changes."""
