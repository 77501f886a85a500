"""Tasks of a researcher's week (tests/tasks): each in at most so many lines, which are counted and run."""


def run(task, most, code, space):
    """Run the lines of a task.

    Parameters
    ----------
    task : str
        Its name, for messages.
    most : int
        The most lines that it may take. Imports and what makes the data of a task are not among them.
    code : str
        The lines.
    space : dict
        The names that they find, and those that they make.

    Returns
    -------
    dict
        The same.
    """
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= most, f"{task}: {len(lines)} lines, at most {most}"
    exec(compile(code, task, "exec"), space)
    return space
