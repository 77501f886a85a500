"""python -m pysnn.verify.golden [FOLDER]: rebuild the golden vectors."""

import sys

from . import FOLDER, rebuild

print(f"{rebuild(*sys.argv[1:2])} cases written to {sys.argv[1] if len(sys.argv) > 1 else FOLDER}")
