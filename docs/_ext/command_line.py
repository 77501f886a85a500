"""The directive `command-help`: the help text of a verb of `pysnn`, taken when the page is built."""

import argparse
from unittest import mock

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from pysnn import cli


def helps():
    """Return the help texts of all verbs, 100 columns wide.

    Returns
    -------
    dict of str to str
        By name; the empty name is `pysnn` itself.
    """
    with mock.patch.dict("os.environ", {"COLUMNS": "100", "NO_COLOR": "1"}):
        top = cli.parser()
        verbs = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction)).choices
        return {"": top.format_help()} | {name: sub.format_help() for name, sub in verbs.items()}


class CommandHelp(SphinxDirective):
    """Show the help of one verb, or of the command itself."""

    optional_arguments = 1

    def run(self):
        """Return the text as it stands."""
        name = self.arguments[0] if self.arguments else ""
        texts = helps()
        if name not in texts:
            raise self.error(f"command-help: expected one of {', '.join(filter(None, texts))}, got {name!r}")
        text = f"$ pysnn{' ' + name if name else ''} --help\n{texts[name]}"
        return [nodes.literal_block(text, text, language="text")]


def setup(app):
    """Register the directive."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "version": "1"}
