"""Learning rules, one short file each."""
