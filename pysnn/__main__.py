"""python -m pysnn."""

import sys

from .cli import main

sys.exit(main())
