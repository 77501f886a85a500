"""A network: a list of layers, forward from left to right, backward from right to left."""


class Network:
    """A list of layers on one dict of parameters.

    Parameters
    ----------
    layers : list
        Objects with `forward(x, rng)` and `backward(dx, cache, need)`.
    params : dict of str to array
        The parameters that the layers refer to.
    """

    def __init__(self, layers, params):
        self.layers, self.params = layers, params

    def forward(self, x, rng=None):
        """Compute the output.

        Parameters
        ----------
        x : (B, n_in) array
            Input; for a temporal net z = exp(t/tau), inf means no spike.
        rng : numpy.random.Generator, optional
            Given in training.

        Returns
        -------
        outputs : list of arrays
            Output of each layer, the network's last.
        caches : list
            For `backward`.
        """
        outputs, caches = [], []
        for layer in self.layers:
            x, cache = layer.forward(x, rng)
            outputs.append(x)
            caches.append(cache)
        return outputs, caches

    def backward(self, dx, caches, need_dx=False):
        """Compute all gradients; nothing is updated.

        Parameters
        ----------
        dx : array
            Gradient with respect to the output.
        caches : list
            From `forward`.
        need_dx : bool
            Whether to compute the gradient of the network's input, too.

        Returns
        -------
        dx : array or None
            Gradient with respect to the input.
        grads : dict of str to array
            Gradients of the parameters.
        """
        grads = {}
        for i in reversed(range(len(self.layers))):
            dx, found = self.layers[i].backward(dx, caches[i], need_dx or i > 0)
            grads.update(found)
        return dx, grads
