"""What several test files share: cases, oracles and helpers; no test stands here, and no test file imports another."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
