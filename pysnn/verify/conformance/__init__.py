"""Conformance of spiking neurons: a cell for each framework, neuron, setting and case.

Each is right, a convention, of precision, a known bug, not supported, or unexpected.

    profile      what a neuron says of itself, and which failures are known: files
    equation     the neuron that a profile describes, by dual numbers
    node         what cases ask of a neuron, over PyTorch, over arrays, or in another process
    run          the cases, and what comes out of them
    subjects     the neurons of released frameworks

`pysnn conformance` runs it; docs/conformance-spec.md says what is tested.
"""

SUITE = "1.0"
"""Version of the cases: changes where a neuron that was right may no longer be."""
