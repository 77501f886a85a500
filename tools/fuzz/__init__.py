"""Damaged files, killed trainings and lying mirrors, drawn by seed; see __main__.py."""
