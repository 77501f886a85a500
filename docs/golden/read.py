"""Read the golden vectors with NumPy alone: check their hashes, then the layer in a file, if one is named.

Run: python read.py FOLDER [FILE]
FILE has forward(z_in, w, threshold) -> z_out and backward(dz_out, z_in, w, threshold, z_out) -> dz_in, dw.
"""

import hashlib
import json
import runpy
import sys
from pathlib import Path

import numpy as np

folder, layer = Path(sys.argv[1]), runpy.run_path(sys.argv[2]) if len(sys.argv) > 2 else None
text = (folder / "schema.json").read_bytes()
schema, sums = json.loads(text), dict(line.split("  ")[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
if hashlib.sha256(text).hexdigest() != sums.pop("schema.json", None) or len(sums) != len(schema["cases"]):
    raise SystemExit("schema.json: does not have the hash of SHA256SUMS, or not its cases")
files = {name: np.load(folder / name, allow_pickle=False) for name in sorted({case["file"] for case in schema["cases"]})}
keys, n_wrong, n_numbers = [key for file in files.values() for key in file.files], 0, 0
for case in schema["cases"]:
    name, file = case["name"], files[case["file"]]
    arrays = {key: file[key] for key in sorted(keys) if key.startswith(name + "/")}
    if hashlib.sha256(b"".join(x.tobytes() for x in arrays.values())).hexdigest() != sums[f"{case['file']}/{name}"]:
        raise SystemExit(f"{name}: does not have the hash of SHA256SUMS")
    if layer and case["operation"] == "temporal":
        z_in, w, dz_out = (arrays[f"{name}/inputs/{key}"] for key in ("z_in", "w", "dz_out"))
        z_out = layer["forward"](z_in, w, case["convention"]["threshold"])
        dz_in, dw = layer["backward"](dz_out, z_in, w, case["convention"]["threshold"], z_out)
        for role, key, got in (("outputs", "z_out", z_out), ("gradients", "dz_in", dz_in), ("gradients", "dw", dw)):
            wanted, unit = arrays[f"{name}/{role}/{key}"], arrays[f"{name}/units/{key}"]
            equal = got == wanted                                        # inf equals inf: no spike, twice
            off = ~(np.abs(np.where(equal, 0, got) - np.where(equal, 0, wanted)) <= 4 * np.finfo(got.dtype).eps * unit)
            off &= ~arrays.get(f"{name}/inputs/near", np.zeros(w.shape[1], bool)) if key == "z_out" else True
            n_wrong, n_numbers = n_wrong + int(off.sum()), n_numbers + off.size
            if off.any():
                print(f"{name}: {key}{np.argwhere(off)[0].tolist()} is wrong")
print(f"{len(sums)} cases of version {schema['version']} have their hashes" + f"; {n_wrong} of {n_numbers} numbers wrong" * bool(layer))
raise SystemExit(n_wrong > 0)
