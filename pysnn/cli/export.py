"""The verb export: a trained network in a format of others."""

import numpy as np

from .. import _files, checkpoint, training
from ._common import add_files, count, emit


def add(verb):
    """Add the verb; `verb(name, function, help, *examples)` makes its parser."""
    sub = verb("export", export, "Write a trained network as a NIR file, a C program or a PyTorch state dict.",
               "export fashion-proxy --to torch --out weights.npz      # names and layouts of PyTorch",
               "export fashion-proxy --to c --bits 8 --out network.c   # whole numbers only; reads images, prints spike counts",
               "export runs/surrogate-randman.npz --to nir --out network.nir")
    sub.add_argument("checkpoint", help=f"file, or one of: {', '.join(checkpoint.names()) or 'none shipped'}")
    sub.add_argument("--to", required=True, choices=("nir", "c", "torch"),
                     help="nir: HDF5, needs the package nir; c: one C99 file; torch: .npz of a state dict, PyTorch is not needed")
    sub.add_argument("--out", required=True, metavar="FILE", help="file to write")
    sub.add_argument("--bits", type=count, metavar="N", help="with --to c: bits of a weight, 2 to 8 (default 8)")
    add_files(sub)


def export(args):
    """Write the file, all of it or nothing."""
    from .. import interop
    if args.bits is not None and args.to != "c":
        raise ValueError(f"--bits: expected --to c with it, got --to {args.to}")
    run = training.load(args.checkpoint, args.files)
    said = ""
    if args.to == "nir":
        interop.write_nir(run, args.out)
    elif args.to == "c":
        network = interop.quantize(run, 8 if args.bits is None else args.bits)
        interop.to_c(network, args.out)
        said = f", weights of {network.bits} bits, {network.n_steps} time steps"
    else:
        arrays = interop.to_state_dict(run)
        with _files.replacing(args.out) as file:
            np.savez(file, **arrays)
        said = f", {len(arrays)} arrays"
    print(f"{args.checkpoint} as {args.to}: {args.out}{said}")
    return emit(args, {"checkpoint": args.checkpoint, "to": args.to, "out": args.out, "bits": args.bits, "versions": training.versions()})
