"""The options of the pytest plugin. The rest, `pysnn.verify.plugin`, is loaded only where they are used; nothing else is imported here."""

import contextlib


def pytest_addoption(parser):
    """Add the options.

    Parameters
    ----------
    parser : pytest.Parser
        As pytest gives it.
    """
    add_options(parser)


def pytest_configure(config):
    """Load the plugin if it is asked for.

    Parameters
    ----------
    config : pytest.Config
        As pytest gives it.
    """
    if any(config.getoption(f"--snn-{name}") for name in ("conformance", "torch", "jax", "numpy")):
        config.pluginmanager.import_plugin("pysnn.verify.plugin")


def add_options(parser):
    """Add the options, unless they are there.

    Parameters
    ----------
    parser : pytest.Parser
        As pytest gives it.
    """
    with contextlib.suppress(ValueError):                                # both modules may be loaded
        group = parser.getgroup("snn", "conformance of spiking layers (pysnn)")
        group.addoption("--snn-conformance", metavar="FILE.py[:FORWARD,BACKWARD]", action="append", default=[],
                        help="check the gradients of this layer, each check a test; may be given more than once")
        for kind in ("torch", "jax", "numpy"):
            group.addoption(f"--snn-{kind}", metavar="PLACE:LAYER", action="append", default=[],
                            help=f"check a layer of {kind}, as pysnn verify --{kind}; may be given more than once")
        group.addoption("--snn-axes", metavar="TBN", default=None, help="what these layers take (default: found)")
        group.addoption("--snn-operation", metavar="NAME", default=None,
                        help="what the layer is, such as temporal or integrate_fire (default: the line OPERATION = NAME in the file)")
        group.addoption("--snn-seed", metavar="N", type=int, default=0, help="the cases follow from it (default 0)")
