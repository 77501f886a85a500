"""Golden vectors: inputs, outputs and gradients of every operation, from the oracles; NumPy reads them, and so does any language.

They lie in pysnn/verify/golden_vectors/: .npz archives, schema.json, SHA256SUMS; docs/howto/golden-vectors.md says how to use them
without this package. A number passes if |got - wanted| <= 4 eps unit, where eps is that of the dtype of got, and the unit, stored with
the case, is the size of the number times its condition (kappa z_out for a spike time); a unit of 0 asks for equality.

Run: python -m pysnn.verify.golden          rebuilds them; needs mpmath; the arrays come out byte for byte the same
"""

from .make import rebuild
from .vectors import FOLDER, ROUNDINGS, VERSION, GoldenCase, cases, check, operations

Case = GoldenCase
__all__ = ["FOLDER", "ROUNDINGS", "VERSION", "Case", "GoldenCase", "cases", "check", "operations", "rebuild"]
