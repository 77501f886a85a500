"""The gradient of a batch as a sum over chunks of it, in a fixed order: the same bits, whoever computes which chunk.

What is of a chunk: the random numbers of augmentation and dropout, from a generator that seed, epoch, batch and chunk choose, and the
statistics of batch normalisation. What is of the whole batch: the loss, a mean over all its samples, the costs of weights and the bounds of
gradients, and the update.
"""

from itertools import pairwise

import numpy as np

from .method import Step

PIECE = 1000        # samples that one process scores at once


class Alone:
    """The one process that computes all chunks; `pysnn.scale.mpi.Team` is many."""

    rank, size = 0, 1

    def own(self, n):
        """Say which of n chunks this process computes.

        Parameters
        ----------
        n : int
            Number of chunks.

        Returns
        -------
        range
            Their numbers.
        """
        return range(n)

    def total(self, steps):
        """Add up the chunks of all processes.

        Parameters
        ----------
        steps : iterable of (float, Step)
            The share of each chunk of this process in the batch, and what its samples say; used up one by one.

        Returns
        -------
        parts : list of (float, Step)
            Of all chunks of the batch, in order; their gradients are gone.
        grads : dict of str to array
            Sum of the gradients, each times its share, from the first to the last.
        """
        parts, grads = [], None
        for share, step in steps:
            scaled = {name: dw * dw.dtype.type(share) for name, dw in step.grads.items()}
            grads = scaled if grads is None else {name: np.add(grads[name], dw, out=grads[name]) for name, dw in scaled.items()}
            parts.append((share, step._replace(grads={})))
        return parts, grads

    def gathered(self, make):
        """Join what the processes make.

        Parameters
        ----------
        make : callable
            Without arguments; returns a list.

        Returns
        -------
        list
            Those of all processes, one behind the other.
        """
        return make()


def cut(n, chunks):
    """Cut a batch into chunks of nearly equal size.

    Parameters
    ----------
    n : int
        Samples of the batch.
    chunks : int
        Number of chunks; of a small batch there are fewer.

    Returns
    -------
    list of slice
        The chunks, none empty.
    """
    ends = [k * n // chunks for k in range(chunks + 1)]
    return [slice(a, b) for a, b in pairwise(ends) if a < b]


def gradients(rule, nets, samples, place, team=None):
    """Compute the loss of a batch and its gradients, chunk by chunk; update nothing.

    Parameters
    ----------
    rule : pysnn.learning.Method
        The rule. What its `gradients` adds beyond the samples is added once, if it says so by `pysnn.learning.method.finished_by`; else
        each chunk brings it.
    nets : tuple
        From the rule's `build`.
    samples : (x, y, weight, batch)
        All training samples, of which the chunks of this process alone are read; labels; weights or None; numbers of the batch's samples.
    place : (seed, epoch, batch)
        Numbers that choose the random numbers.
    team : object, optional
        Computes some of the chunks and adds up all; default: this process is `Alone`.

    Returns
    -------
    pysnn.learning.method.Step
        As of the whole batch; `batch_stats` are lists over the chunks.
    """
    (x, y, weight, batch), team, (seed, *numbers) = samples, team or Alone(), place
    of_samples, cuts = getattr(rule.gradients, "of_samples", rule.gradients), cut(len(samples[3]), nets.settings.chunks)

    def step(c):
        some = batch[cuts[c]]
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(*numbers, c)))
        more = {} if weight is None else {"weight": weight[some]}
        return len(some) / len(batch), of_samples(nets, x[some], y[some], rng, **more)

    parts, grads = team.total(step(c) for c in team.own(len(cuts)))
    whole = joined(parts)._replace(grads=grads)
    return rule.gradients.finish(nets, whole) if hasattr(rule.gradients, "finish") else whole


def score(rule, nets, samples, team=None):
    """Score the network on samples with labels or targets, of which each process predicts a part.

    Parameters
    ----------
    rule : pysnn.learning.Method
        The rule.
    nets : tuple
        From the rule's `build`.
    samples : (x, y)
        Samples, of which each process reads its part alone, and labels or targets.
    team : object, optional
        As of `gradients`.

    Returns
    -------
    pysnn.metrics.Accuracy or pysnn.metrics.Regression
        As of `pysnn.learning.Method.score`.
    """
    (x, y), team = samples, team or Alone()
    starts = range(0, len(x), PIECE)
    outputs = team.gathered(lambda: [rule.predict(nets, x[starts[k]:starts[k] + PIECE]) for k in team.own(len(starts))])
    return rule.scored(nets.settings, np.concatenate(outputs), y)


def joined(parts):
    """Join what the chunks of a batch say.

    Parameters
    ----------
    parts : list of (float, pysnn.learning.method.Step)
        Share of each chunk in the batch, and its step, in order.

    Returns
    -------
    pysnn.learning.method.Step
        Without gradients. Losses are averaged by their shares; of stats those called n_* are added up, the others averaged; statistics
        of batch normalisation become lists over the chunks.
    """
    stats, batch_stats = {}, {}
    for share, part in parts:
        for name, value in part.stats.items():
            stats[name] = stats.get(name, 0) + (value if name.startswith("n_") else share * np.asarray(value))
        for name, value in part.batch_stats.items():
            batch_stats[name] = batch_stats.get(name, []) + (value if isinstance(value, list) else [value])
    return Step(sum(share * part.loss for share, part in parts), np.concatenate([part.y for _, part in parts]), {}, stats, batch_stats)
