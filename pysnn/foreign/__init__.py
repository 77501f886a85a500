"""Foreign code: run a file that somebody else wrote in a process of its own, with limits, and call its functions from here.

Whatever the file does, the caller goes on: it gets numbers, or an error of that code (`Raised`), or the news that there is no answer
(`NoAnswer`). What is right is decided on this side, so that the file can change nothing about it but by its numbers.
"""

from ._load import NoAnswer, Raised, clean, copies, import_file, one_line, same
from ._room import LIMIT, Function, Room

__all__ = ["LIMIT", "Function", "NoAnswer", "Raised", "Room", "clean", "copies", "import_file", "one_line", "same"]
