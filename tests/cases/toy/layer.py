"""What pysnn asks: neurons of toyspike by name."""

import toyspike


def make(name):
    return {"LIF": toyspike.LIF, "Clipped": toyspike.Clipped}[name](beta=0.75)
