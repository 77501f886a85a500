"""pysnn: a reference implementation of training spiking neural networks."""

__version__ = "0.1.0"
