"""The pytest plugin: `pytest --snn-conformance mylayer.py[:forward,backward]` makes every check of the suite a test of that layer.

The file runs in a process of its own: what ends or stops there is a failed test, and the session goes on.
Where pysnn is installed, pytest finds `pysnn.pytest_plugin`, which loads this file when it is asked for; elsewhere, -p pysnn.verify.plugin.
"""

import contextlib

import pytest

from ..foreign import NoAnswer
from ..pytest_plugin import add_options

KINDS = ("torch", "jax", "numpy")


def pytest_addoption(parser):
    """Add the options, if `pysnn.pytest_plugin` has not.

    Parameters
    ----------
    parser : pytest.Parser
        As pytest gives it.
    """
    add_options(parser)


def pytest_collection(session):
    """Load the layers before anything is collected: bad input gives one line. Without paths, nothing else is collected.

    Parameters
    ----------
    session : pytest.Session
        As pytest gives it.

    Raises
    ------
    pytest.UsageError
        If a layer cannot be loaded.
    """
    if not any(session.config.getoption(f"--snn-{name}") for name in ("conformance", *KINDS)):
        return
    if session.config.args_source is not pytest.Config.ArgsSource.ARGS:
        session.config.args = []
    from pysnn.foreign import Room
    from pysnn.verify import student
    session.config._snn_layers = []
    for spec in session.config.getoption("--snn-conformance"):
        try:
            room = Room(student.split(spec)[0])
            session.config.add_cleanup(room.close)
            subject = student.load(spec, session.config.getoption("--snn-operation"), lambda _, room=room: room.load())
        except NoAnswer as error:
            subject = error
        except (ValueError, TypeError) as error:
            raise pytest.UsageError(f"--snn-conformance: {error}") from None
        session.config._snn_layers.append((spec, subject, room))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session, config, items):
    """Add the checks of each layer to the tests, before options such as -k choose among them.

    Parameters
    ----------
    session : pytest.Session
        As pytest gives it.
    config : pytest.Config
        With the layers.
    items : list of pytest.Item
        What was collected; the checks are added to it.
    """
    items += [LayerItem.from_parent(session, name=f"--{kind} {spec}", kind=kind, spec=spec) for kind in KINDS
              for spec in config.getoption(f"--snn-{kind}")]
    for spec, subject, room in getattr(config, "_snn_layers", []):
        layer = Conformance.from_parent(session, name=spec, nodeid=spec, subject=subject, room=room)
        report = layer.ihook.pytest_make_collect_report(collector=layer)
        layer.ihook.pytest_collectreport(report=report)                  # so that they are counted
        items.extend(report.result)


class Conformance(pytest.Collector):
    """All checks of one layer.

    Parameters
    ----------
    subject : pysnn.verify.student.Subject or pysnn.foreign.NoAnswer
        The layer, or why there is none.
    room : pysnn.foreign.Room
        Where it runs.
    **kwargs : object
        As for any collector.
    """

    def __init__(self, *, subject, room, **kwargs):
        super().__init__(**kwargs)
        self.subject, self.room, self._likely = subject, room, None

    def collect(self):
        """Make an item of each check.

        Returns
        -------
        list of CheckItem
            In the order of the suite.
        """
        from pysnn.verify import suite
        if isinstance(self.subject, Exception):
            return [CheckItem.from_parent(self, name="load", check=None)]
        return [CheckItem.from_parent(self, name=check.name.replace(": ", "[", 1) + ("]" if ":" in check.name else ""), check=check)
                for check in suite.checks(self.subject.operation, op=self.subject)]

    def likely(self):
        """Say which known mistake this looks like; looked up once.

        Returns
        -------
        list of str
            As of `student.likely`.
        """
        if self._likely is None:
            from pysnn.verify import student
            self._likely = []
            with contextlib.suppress(Exception):             # a hint is no verdict
                self._likely = student.likely(self.subject)
        return self._likely


class CheckItem(pytest.Item):
    """One check.

    Parameters
    ----------
    check : pysnn.verify.suite.Check or None
        What to run; None: nothing, there is no layer.
    **kwargs : object
        As for any item.
    """

    def __init__(self, *, check, **kwargs):
        super().__init__(**kwargs)
        self.check = check

    def runtest(self):
        """Run the check; raise its entries, unless all are right."""
        from pysnn.verify import suite
        if self.check is None:
            raise self.parent.subject
        if not self.parent.room.why:
            self.parent.room.begin()
        ledger = suite.apply(self.check, self.parent.subject, self.config.getoption("--snn-seed"))
        if not ledger.ok:
            raise NotRight(ledger, self.parent.likely())

    def repr_failure(self, excinfo, style=None):
        """Say what is wrong, where it first diverges, and what it looks like.

        Parameters
        ----------
        excinfo : pytest.ExceptionInfo
            What was raised.
        style : str, optional
            Not used.

        Returns
        -------
        str
            Some lines.
        """
        if isinstance(excinfo.value, NoAnswer):
            return f"{self.parent.room.path.name}: no verdict: {excinfo.value}"
        if not isinstance(excinfo.value, NotRight):
            return super().repr_failure(excinfo)
        ledger, likely = excinfo.value.args
        head = f"{self.check.operation}, {self.check.name}: {len(ledger.failed)} of {len(ledger.entries)} comparisons failed"
        return "\n".join([*likely, head, *excinfo.value.lines()])

    def reportinfo(self):
        """Name the layer and the check.

        Returns
        -------
        tuple
            File, no line, words.
        """
        what = f"{self.check.operation}: {self.check.name}" if self.check else "load"
        return self.parent.name.rsplit(":", 1)[0], None, what


class LayerItem(pytest.Item):
    """A layer of a framework, all cases in one test.

    Parameters
    ----------
    kind, spec : str
        As of `pysnn.verify.blackbox.opened`.
    **kwargs : object
        As for any item.
    """

    def __init__(self, *, kind, spec, **kwargs):
        super().__init__(**kwargs)
        self.kind, self.spec = kind, spec

    def runtest(self):
        """Check it; raise its entries, unless all are right."""
        from pysnn.verify import blackbox
        with blackbox.opened(self.kind, self.spec, self.config.getoption("--snn-axes")) as layer:
            ledger, _ = blackbox.check(layer, self.config.getoption("--snn-seed"))
        if not ledger.ok:
            raise NotRight(ledger, [])

    def repr_failure(self, excinfo, style=None):
        """Say what is wrong.

        Parameters
        ----------
        excinfo : pytest.ExceptionInfo
            What was raised.
        style : str, optional
            Not used.

        Returns
        -------
        str
            Some lines.
        """
        if isinstance(excinfo.value, ValueError):
            return f"{self.spec}: no verdict: {excinfo.value}"
        if not isinstance(excinfo.value, NotRight):
            return super().repr_failure(excinfo)
        return "\n".join(excinfo.value.lines())

    def reportinfo(self):
        """Name the layer.

        Returns
        -------
        tuple
            File, no line, words.
        """
        return self.spec.partition(":")[0], None, self.name


class NotRight(Exception):
    """A check that did not pass: its ledger, and what the mistake looks like."""

    def lines(self, shown=4):
        """List the first entries that failed, and how many more there are.

        Parameters
        ----------
        shown : int
            How many.

        Returns
        -------
        list of str
            One line each.
        """
        from pysnn.verify.report.ledger import says
        failed = self.args[0].failed
        lines = [f"{e.verdict}: {e.argument}: {says(e)}" for e in failed[:shown]]
        return lines + ([f"... and {len(failed) - shown} more"] if len(failed) > shown else [])
