"""The exercises on max-pooling and batch normalisation: two operations with a convention that finite differences cannot detect."""

import numpy as np

from ..reference import batch_norm, pool
from ..verify import zoo
from ._case import Case, Exercise, Mistake, differences, run_backward, run_forward

# ---- max_pool_backward

def _pool_cases(rng):
    ties = np.array([[1.0, 5, 5, 2], [5, 5, 2, 5]]).reshape(1, 2, 4, 1)
    relu = np.maximum(np.round(rng.normal(size=(3, 6, 6, 2))), 0)
    x, odd = rng.normal(size=(2, 4, 6, 2)), rng.normal(size=(1, 5, 7, 1))

    def case(name, x, size=2):
        dy = rng.normal(size=(len(x), x.shape[1] // size, x.shape[2] // size, x.shape[3]))
        return Case(name, ("dx",), run_backward, (dy, x, size))
    return [
        Case("forward, as given", ("y",), run_forward, (x,)),
        case("2 samples, 2 channels", x),
        case("windows of 3", np.concatenate([x, x], axis=1), 3),
        case("rows and columns left over", odd),
        Case("equal numbers", ("dx",), run_backward, (np.array([[10.0, 100]]).reshape(1, 1, 2, 1), ties, 2)),
        case("behind a ReLU", relu),
        *differences("finite differences", lambda f: f["forward"], lambda f: f["backward"], (x,), ("x",)),
    ]


def _shares(share):
    """Make a backward pass that multiplies dy by share(first, equal, n, x): is x the first maximum, one of n equal ones?"""
    def backward(dy, cache, right):
        x, y, size = cache
        h, w = (size * n for n in y.shape[1:3])
        wide = [np.repeat(np.repeat(a, size, axis=1), size, axis=2) for a in (y, dy)]
        equal = x[:, :h, :w] == wide[0]
        n = equal.reshape(len(x), h // size, size, w // size, size, -1).sum(axis=(2, 4))
        dx, first = np.zeros_like(x), right(np.ones_like(y), x, size)[:, :h, :w]
        dx[:, :h, :w] = wide[1] * share(first, equal, np.repeat(np.repeat(n, size, axis=1), size, axis=2), x[:, :h, :w])
        return dx

    def inject(right):
        def forward(x, size=2):
            y = right["forward"](x, size)[0]
            return y, (x, y, size)

        def ones(dy, x, size):
            return right["backward"](dy, right["forward"](x, size)[1])
        return {"forward": forward, "backward": lambda dy, cache: backward(dy, cache, ones)}
    return inject


def _spread(right, part):
    """Give each number of a window the same part of its gradient, part(size)."""
    def forward(x, size=2):
        return right["forward"](x, size)[0], (x, size)

    def backward(dy, cache):
        x, size = cache
        dx = np.zeros_like(x)
        dx[:, :size * dy.shape[1], :size * dy.shape[2]] = np.repeat(np.repeat(dy, size, axis=1), size, axis=2) * part(size)
        return dx
    return {"forward": forward, "backward": backward}


def _smallest(right):
    """Give the gradient to the smallest of each window."""
    def forward(x, size=2):
        return right["forward"](x, size)[0], right["forward"](-x, size)[1]
    return {**right, "forward": forward}


def _windows_of_2(right):
    def forward(x, size=2):
        y = right["forward"](x, size)[0]
        return y, (x, y)

    def backward(dy, cache):
        x, y = cache
        dx, free = np.zeros_like(x), np.ones(y.shape, bool)
        for i in range(2):
            for j in range(2):
                at = (slice(None), slice(i, 2 * y.shape[1], 2), slice(j, 2 * y.shape[2], 2))
                dx[at], free = np.where(free & (x[at] == y), dy, 0), free & (x[at] != y)
        return dx
    return {"forward": forward, "backward": backward}


def _by_columns(right):
    """Give the gradient to the first of equal numbers, counted column by column."""
    def forward(x, size=2):
        return right["forward"](x, size)[0], (x, size)

    def backward(dy, cache):
        x, size = cache
        turned = right["backward"](dy.swapaxes(1, 2), right["forward"](x.swapaxes(1, 2).copy(), size)[1])
        return turned.swapaxes(1, 2)
    return {"forward": forward, "backward": backward}


def _last(right):
    op = zoo.Op(lambda x, size=2, stride=None: right["forward"](x, size), right["backward"])
    return zoo.every()["max_pool_tie"].inject(op)._asdict()


POOL_MISTAKES = (
    Mistake("by_columns", "among equal numbers you take the first column by column; the convention is row by row", _by_columns),
    Mistake("max_pool_tie", "among equal numbers you take the last; the convention is the first, row by row", _last),
    Mistake("every_equal",
            "you give the whole gradient to each of the equal numbers, so that it is counted several times; only the first gets it",
            _shares(lambda first, equal, n, x: equal)),
    Mistake("shared",
            "you share the gradient among equal numbers: a sensible choice, but by the convention here the first gets all of it",
            _shares(lambda first, equal, n, x: equal / n)),
    Mistake("average", "you spread the gradient over the whole window, as average pooling does; the maximum alone gets it",
            lambda right: _spread(right, lambda size: 1 / size ** 2)),
    Mistake("everywhere", "each number of a window gets the whole gradient in yours; only the first maximum gets it",
            lambda right: _spread(right, lambda size: 1.0)),
    Mistake("zeros_without", "you give nothing to a maximum that is not positive; a maximum of 0 or less gets its gradient as well",
            _shares(lambda first, equal, n, x: first * (x > 0))),
    Mistake("times_maximum", "you multiply by the maximum; the derivative of y with respect to it is 1",
            _shares(lambda first, equal, n, x: first * x)),
    Mistake("smallest", "your gradient goes to the smallest number of each window", _smallest),
    Mistake("windows_of_2", "your windows are 2 x 2, whatever the size is", _windows_of_2),
    Mistake("dy_forgotten", "you return where the maxima are; each of these places gets the gradient dy of its window",
            lambda right: {**right, "backward": lambda dy, cache: right["backward"](np.ones_like(dy), cache)}),
)


# ---- batch_norm_backward

def _norm_cases(rng):
    x, dy = rng.normal(1, 2, (6, 3)), rng.normal(size=(6, 3))
    gamma, beta, mean = rng.normal(size=(3, 3))
    var = rng.uniform(0.5, 2, 3)
    back = ("dx", "dgamma", "dbeta")
    hand = (np.array([[1.0], [3.0]]), np.array([2.0]), np.array([10.0]))
    given = (np.array([2.0]), np.array([1.0]), 3.0)
    return [
        Case("forward, as given", ("y",), run_forward, (x, gamma, beta)),
        Case("forward, given statistics", ("y",), run_forward, (x, gamma, beta, mean, var)),
        Case("by hand", back, run_backward, (np.array([[1.0], [-1.0]]), *hand, None, None, 3.0)),
        Case("by hand, given statistics", back, run_backward, (np.array([[1.0], [-1.0]]), *hand, *given)),
        Case("batch statistics", back, run_backward, (dy, x, gamma, beta)),
        Case("given statistics", back, run_backward, (dy, x, gamma, beta, mean, var)),
        *differences("finite differences", lambda f: f["forward"], lambda f: f["backward"], (x, gamma, beta), ("x", "gamma", "beta")),
        *differences("the same, given statistics", lambda f: lambda x, gamma, beta: f["forward"](x, gamma, beta, mean, var),
                    lambda f: f["backward"], (x, gamma, beta), ("x", "gamma", "beta")),
    ]


def _own(dx=None, factor=lambda gamma, sigma: gamma / sigma):
    """Replace dx(dy, x_hat, dgamma/N, dbeta/N, of_batch) and its factor, or divide dgamma and dbeta by N."""
    def inject(right):
        def forward(x, gamma, beta, mean=None, var=None, eps=1e-5):
            y, cache = right["forward"](x, gamma, beta, mean, var, eps)
            if mean is None:
                return y, (cache, x, gamma, x.mean(axis=0), np.sqrt(x.var(axis=0) + eps), True)
            return y, (cache, x, gamma, mean, np.sqrt(var + eps), False)

        def backward(dy, cache):
            cache, x, gamma, mean, sigma, of_batch = cache
            right_dx, dgamma, dbeta = right["backward"](dy, cache)
            if dx is None:
                return right_dx, dgamma / len(dy), dbeta / len(dy)
            x_hat = (x - mean) / sigma
            return dx(dy, x_hat, dgamma / len(dy), dbeta / len(dy), of_batch) * factor(gamma, sigma), dgamma, dbeta
        return {"forward": forward, "backward": backward}
    return inject


def _gradients(change):
    """Change the right gradients: change(dx, dgamma, dbeta, gamma)."""
    def inject(right):
        def forward(x, gamma, *more):
            y, cache = right["forward"](x, gamma, *more)
            return y, (cache, gamma)
        return {"forward": forward, "backward": lambda dy, cache: change(*right["backward"](dy, cache[0]), cache[1])}
    return inject


def _right_dx(dy, x_hat, dg, db, of_batch):
    return dy - of_batch * (db + x_hat * dg)


NORM_MISTAKES = (
    Mistake("batch_norm_statistics",
            "you use batch statistics where constants are given, forward and backward: each sample then depends on the other samples "
            "of the batch. Finite differences cannot detect this",
            lambda right: zoo.every()["batch_norm_statistics"].inject(zoo.Op(**right))._asdict()),
    Mistake("constants_differentiated",
            "given statistics are constants: subtract the two terms of (R9) only with batch statistics",
            _own(lambda dy, x_hat, dg, db, of_batch: dy - db - x_hat * dg)),
    Mistake("batch_as_constants", "mean and variance of the batch depend on every x: two terms of (R9) are missing",
            _own(lambda dy, x_hat, dg, db, of_batch: dy)),
    Mistake("variance_as_constant", "the variance of the batch depends on every x as well: the term with x_hat is missing, (R9)",
            _own(lambda dy, x_hat, dg, db, of_batch: dy - of_batch * db)),
    Mistake("mean_as_constant", "the mean of the batch depends on every x as well: the term with dbeta is missing, (R9)",
            _own(lambda dy, x_hat, dg, db, of_batch: dy - of_batch * x_hat * dg)),
    Mistake("swapped_statistics", "your two cases are swapped: subtract the two terms of (R9) with batch statistics, not with given ones",
            _own(lambda dy, x_hat, dg, db, of_batch: dy - (not of_batch) * (db + x_hat * dg))),
    Mistake("mean_added", "you add the term with dbeta; (R9) subtracts both terms",
            _own(lambda dy, x_hat, dg, db, of_batch: dy + of_batch * (db - x_hat * dg))),
    Mistake("x_hat_forgotten", "the second term that (R9) subtracts has the factor x_hat",
            _own(lambda dy, x_hat, dg, db, of_batch: dy - of_batch * (db + dg))),
    Mistake("n_minus_one", "you divide by N - 1 somewhere; the variance of the batch is divided by N, and so are both terms of (R9)",
            _own(lambda dy, x_hat, dg, db, of_batch: dy - of_batch * (db + x_hat * dg * len(dy) / (len(dy) - 1)))),
    Mistake("variance_for_sigma", "you divide dx by the variance; x_hat is divided by sigma, its square root, (R8)",
            _own(_right_dx, lambda gamma, sigma: gamma / sigma ** 2)),
    Mistake("gamma_in_dgamma", "your dgamma has the factor gamma; y = gamma x_hat + beta, and its derivative by gamma is x_hat",
            _gradients(lambda dx, dgamma, dbeta, gamma: (dx, dgamma * gamma, dbeta))),
    Mistake("swapped_gradients", "dgamma and dbeta are mixed up: dgamma is the sum of dy x_hat, dbeta that of dy",
            _gradients(lambda dx, dgamma, dbeta, gamma: (dx, dbeta, dgamma))),
    Mistake("mean_over_batch", "dgamma and dbeta are sums over the batch, not means", _own()),
    Mistake("gamma_forgotten", "your dx lacks the factor gamma, by which y multiplies x_hat, (R8)",
            _own(_right_dx, lambda gamma, sigma: 1 / sigma)),
    Mistake("sigma_forgotten", "your dx lacks the factor 1/sigma, by which x_hat changes with x, (R8)",
            _own(_right_dx, lambda gamma, sigma: gamma)),
    Mistake("n_forgotten", "the two terms that (R9) subtracts are means over the batch: your 1/N is missing",
            _own(lambda dy, x_hat, dg, db, of_batch: dy - of_batch * (db + x_hat * dg) * len(dy))),
    Mistake("x_hat_added", "you add the term with x_hat; (R9) subtracts both terms",
            _own(lambda dy, x_hat, dg, db, of_batch: dy - of_batch * (db - x_hat * dg))),
)


EXERCISES = {exercise.name: exercise for exercise in (
    Exercise("max_pool_backward", "backpropagate through max-pooling, with ties", "(R5)",
             {"forward": pool.max_pool2d_forward, "backward": pool.max_pool2d_backward}, _pool_cases, POOL_MISTAKES),
    Exercise("batch_norm_backward", "backpropagate through batch normalisation, of two kinds", "(R8), (R9)",
             {"forward": batch_norm.batch_norm_forward, "backward": batch_norm.batch_norm_backward}, _norm_cases, NORM_MISTAKES,
             {"dx": ("dgamma", "dbeta")}),
)}
