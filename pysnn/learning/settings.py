"""Settings of the methods: `Settings` of all, `Common` of the rate methods, `Spiking`. Help and pages are made from their fields."""

import inspect
import re
from dataclasses import dataclass, field, fields

import numpy as np

from .. import _files, encode, losses, models, optim
from ..conventions import RULES
from ..operations import BACKENDS

MAX_STEPS = 10_000
EDGES = tuple(encode.EDGES)
OF_IMAGES = ("crop", "shift", "flip", "by_turns", "erase", "edge")      # settings for models on images (H, W, C) only
RATE_LOSSES = {"cross_entropy": losses.cross_entropy, "squared": losses.squared, "mse": losses.mse}


def setting(default, text, allowed=None, own=False, by_name=False):
    """Make a field of a Settings class.

    Parameters
    ----------
    default : object
        Its type is the type of the setting; if it is an int, other numbers must be whole, too.
    text : str
        What the setting means, in one line.
    allowed : sequence or dict, optional
        Of a word: the allowed words, or a dict of them with the function that each means. Of a number: the lowest and the highest.
    own : bool
        Whether the user may give a function of their own, as an object or as FILE.py:NAME. One that is in `allowed` becomes its word.
    by_name : bool
        Of a number: whether it may also be a dict of parameter -> number, such as {"w1": 0.001}; others have 0.

    Returns
    -------
    dataclasses.Field
        For the body of the class.
    """
    table = allowed if isinstance(allowed, dict) else {}
    return field(default=default, metadata={"text": text, "allowed": allowed and tuple(allowed), "own": own, "table": table,
                                            "by_name": by_name})


def about(settings, name):
    """Return what `setting` stored about a field: text, allowed, own, table.

    Parameters
    ----------
    settings : type
        A Settings class. Where it only changes a default, the field of its base class is described.
    name : str
        The setting.

    Returns
    -------
    mapping
        Empty if no class describes the field.
    """
    found = (c.__dict__.get("__dataclass_fields__", {}).get(name) for c in settings.__mro__)
    return next((f.metadata for f in found if f is not None and f.metadata), {})


def explained(settings, name):
    """Say what a setting is, and what it may be.

    Parameters
    ----------
    settings : type
        A Settings class.
    name : str
        The setting.

    Returns
    -------
    str
        One line.
    """
    words = about(settings, name)
    allowed = words.get("allowed") or ()
    what = ", ".join(allowed) if allowed and isinstance(allowed[0], str) else " to ".join(f"{x:g}" for x in allowed)
    what += ", or by parameter, such as {\"w1\": 0.001}" * bool(words.get("by_name"))
    return words.get("text", "") + f" ({what})" * bool(what)


def document(settings):
    """Put the explanations of all settings into the docstring of their class, where help() shows them.

    Parameters
    ----------
    settings : type
        A Settings class.
    """
    lines = [f"{f.name} : default {f.default!r}\n    {explained(settings, f.name)}" for f in fields(settings)]
    settings.__doc__ = "\n".join([inspect.getdoc(settings), "", "Parameters", "----------", *lines])


@dataclass(frozen=True)
class Settings:
    """What every method can choose."""

    model: object = setting("784-10", "a name, a text such as 784-800-10, or a pysnn.models.Model")
    bias: bool = setting(False, "biases of dense layers")
    shift: int = setting(0, "images move by up to so many pixels in training", (0, 1000))
    edge: str = setting("zeros", "what enters where images move: 0, the pixels of the edge, or the mirrored image", EDGES)
    flip: bool = setting(False, "images are mirrored at random, left to right")
    augment: object = setting(None, "your own (x, rng) -> x on the samples of a batch in training", own=True)
    class_weight: str = setting("none", "balanced: each class counts the same in the loss, however many samples it has",
                                ("none", "balanced"))
    metric: object = setting(None, "your own (outputs, labels) -> number, the larger the better, on the validation samples: val_metric in "
                             "the records", own=True)
    patience: int = setting(0, "epochs without a better val_metric, or val_accuracy, after which training ends; the best weights are kept; "
                            "0: never", (0, 1e9))
    freeze: object = setting("", "parameters that stay as they are, such as w1 or w1,b1; a number means all of that layer")
    penalty: object = setting(None, "your own regulariser, (name, w) -> cost, gradient", own=True)
    optimiser: object = setting("adam", "or your own class, (params) with update(params, grads, lr) and state", optim.OPTIMISERS, True)
    lr: float = setting(1e-3, "learning rate at the start", (1e-12, 1e3))
    lr_end: float = setting(1e-5, "learning rate at the end", (1e-12, 1e3))
    schedule: object = setting("cosine", "how it falls, or your own (step, n_steps, lr, lr_end) -> lr", optim.SCHEDULES, True)
    batch: int = setting(100, "samples an update", (1, 1e9))
    epochs: int = setting(20, "passes over the training data", (0, 1e9))
    chunks: int = setting(0, "parts of a batch, whose gradients are added up in order: so many processes can share it; 0: it is one piece",
                          (0, 1e6))
    dtype: str = setting("float32", "of parameters and activations", ("float32", "float64"))
    backend: str = setting("auto", "what computes", ("auto", *BACKENDS))

    def __post_init__(self):
        """Check every value before any work is done; read the model, load functions of the user's own."""
        for f in fields(self):
            object.__setattr__(self, f.name, _checked(f, about(type(self), f.name), getattr(self, f.name)))
        if not isinstance(self.freeze, (str, int)) or isinstance(self.freeze, bool):
            raise ValueError(f"freeze: expected names of parameters such as 'w1,b1', or the number of a layer, got {self.freeze!r:.60}")

    @property
    def own_encoding(self):
        """Whether an encoding of the user's own stands between samples and network, so that their sizes may differ."""
        return False

    @property
    def time_axis(self):
        """How many steps a sample has, if it has a time axis.

        Returns
        -------
        int or None
            None without one.
        """
        return None

    def plain(self):
        """Turn them into what JSON can hold.

        Returns
        -------
        dict
            name -> value; the model as its text, a function of the user's own as FILE.py:NAME.
        """
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}


def _plain(value):
    """Return a value as JSON can hold it."""
    return str(value) if isinstance(value, models.Model) else _files.reference(value) if callable(value) else value


def _checked(f, described, value):
    """Return a value as it is used, or raise a ValueError that says what was expected; `described` is from `about`."""
    name, default, allowed, own = f.name, f.default, described.get("allowed"), described.get("own")
    if name == "model":
        return models.read(_files.load(value) if isinstance(value, str) and ".py:" in value else value)
    if own and (callable(value) or (isinstance(value, str) and ".py:" in value)):
        made = value if callable(value) else _files.load(value)
        if not callable(made):
            raise ValueError(f"{name}: expected a function, got {made!r:.80}")
        return next((word for word, known in described["table"].items() if known is made), made)
    if described.get("by_name") and isinstance(value, dict):
        return {key: _checked(f, {**described, "by_name": False}, x) for key, x in value.items()}
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{name}: expected true or false, got {value!r}")
    elif isinstance(default, (int, float)) and allowed:
        low, high = allowed
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise ValueError(f"{name}: expected a number from {low:g} to {high:g}, got {value!r}")
        if isinstance(default, int) and not isinstance(value, int):
            raise ValueError(f"{name}: expected a whole number, got {value!r}")
    elif allowed and value not in allowed:
        raise ValueError(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")
    elif own and not allowed and value is not None:
        raise ValueError(f"{name}: expected a function or FILE.py:NAME, got {value!r}")
    return value


@dataclass(frozen=True)
class Common(Settings):
    """What every rate method can choose: proxy, tandem, surrogate, conversion, and the ReLU network alone, ann."""

    model: object = setting("fashion-proxy:32", "a name, a text such as 28x28x1-32C3-P2-100-10, or a pysnn.models.Model")
    encode: object = setting("intensities", "how samples become currents; differences: signals and their changes, as channels; or your "
                             "own (x, dtype) -> (B, n), of samples with a time axis (B, T, n) or Sequences",
                             {"intensities": encode.intensities, "differences": encode.differences}, True)
    init: str = setting("kaiming", "weights between +-sqrt(6/n_in) (kaiming) or +-1/sqrt(n_in) (uniform, the papers'); identity: uniform, "
                        "but the first channels of a convolution copy their input",
                        ("uniform", "kaiming", "identity"))
    gamma: float = setting(1.0, "scale behind batch normalisation, in the beginning", (-100, 100))
    loss: object = setting("cross_entropy", "mse is against one-hot; squared is for regression; or your own (y, labels) -> loss, dy",
                           RATE_LOSSES, True)
    freeze_after: int = setting(0, "epochs after which batch normalisation uses running statistics in training, too; 0: never", (0, 1e9))
    crop: int = setting(0, "side of a random part of the image that is kept, in the middle of zeros; 0: the whole image", (0, 10_000))
    by_turns: bool = setting(False, "with flip: images are mirrored in every second epoch instead of at random")
    erase: int = setting(0, "side of a random square that is set to the image's mean in training; 0: none", (0, 10_000))
    smoothing: float = setting(0.0, "share of each label that cross_entropy spreads over all classes", (0, 0.99))
    bias_rate: float = setting(1.0, "gradients of biases and shifts count so many times; of nesterov, their learning rate", (0, 1e4))
    momentum: float = setting(0.9, "of nesterov", (0, 0.9999))
    beta1: float = setting(0.9, "of adam", (0, 0.9999))
    beta2: float = setting(0.999, "of adam", (0, 0.99999))
    average: float = setting(0.0, "m of the moving average of weights, which is what is evaluated: after each update, mean <- m mean + "
                             "(1 - m) w; 0: none", (0, 0.99999))
    weight_decay: object = setting(0.0, "lambda of the cost lambda/2 times the squared parameters; it is counted in the loss", (0, 1e3),
                                   by_name=True)

    @property
    def own_encoding(self):
        """Whether an encoding of the user's own stands between samples and network, so that their sizes may differ."""
        return self.encode != "intensities"

    def __post_init__(self):
        """Refuse settings that mean nothing, before any work is done."""
        super().__post_init__()
        shape = self.model.shape
        if getattr(self, "readout", "spikes") == "potential" and len(self.model.neuron_layers) < 2:
            raise ValueError(f"readout: expected a model with a hidden layer for 'potential', or no neuron spikes, got {self.model}")
        if any(getattr(self, name) for name in OF_IMAGES[:-1]) and len(shape) != 3:
            raise ValueError(f"crop, shift, flip: expected a model on images such as 28x28x1-..., got {self.model}")
        if self.crop > min(shape[:2]):
            raise ValueError(f"crop: expected at most the side of an image, {min(shape[:2])}, got {self.crop}")
        if self.encode == "differences" and self.time_axis is None:
            raise ValueError("encode: expected samples with a time axis, input='steps' of surrogate, for 'differences'")


@dataclass(frozen=True)
class Spiking(Common):
    """What proxy, tandem and surrogate can choose: their integrate-and-fire neurons have a threshold (in conversion it is 1)."""

    n_steps: int = setting(15, "time steps a sample, T", (1, MAX_STEPS))
    threshold: float = setting(1.0, "firing threshold", (1e-6, 1e6))
    reset: str = setting("subtract", "after a spike: subtract the threshold, or to zero", RULES["reset"])
    fire: str = setting(">=", "when the potential fires: at the threshold, or above it", RULES["fire"])
    v_init: float = setting(0.0, "membrane potential before the first step, in units of the threshold", (-100, 1))
    readout: str = setting("spikes", "y: spike counts of the outputs (spikes), or their summed current, without firing (potential)",
                           ("spikes", "potential"))
    on: str = setting("counts", "what the loss sees: y (counts), y/T (rates), y min(1, 4/T) (few), as if there were 4 steps at most, or "
                      "y/T times `scale` (mean), whose gradient the ReLU network's output has", ("counts", "rates", "few", "mean"))
    scale: float = setting(2.0, "of the output, with on=\"mean\"", (1e-6, 1e6))

    def __post_init__(self):
        """Refuse outputs that fire, or a scale, where the outputs are to meet targets."""
        super().__post_init__()
        fires = self.readout == "spikes" and not isinstance(self.model.specs[-1], models.Integrate)
        if self.loss == "squared" and (fires or self.on != "counts"):
            raise ValueError("loss: expected outputs that do not fire for 'squared', a model that ends in Integrate such as "
                             f"10-100d-L0.9-1d-I0.9 or readout='potential', and on='counts', got {self.model} and on={self.on!r}")


DATA = {   # name of a data set -> settings that differ from the preset
    "xor": {"model": "2-8-2", "batch": 4, "epochs": 200},
    "yin-yang": {"model": "4-120-3", "batch": 20, "epochs": 40},
    "fashion-sample": {"model": "28x28x1-16C3-P2-16C3-P2-100-10", "epochs": 6},
    "fashion-mnist": {"flip": True},
    "mnist": {},
    "cifar10": {"model": "cifar-vgg:16", "shift": 2, "flip": True},
}
"""Settings of the rate methods that data sets need."""


FEW = 2000          # training samples, below which there are more updates


def fitted(data):
    """Fit what all rules share to data of the user's own.

    Parameters
    ----------
    data : pysnn.datasets.Dataset
        The data.

    Returns
    -------
    dict
        Settings by name.
    """
    few = {"batch": 20, "epochs": 40} if len(data.x_train) < FEW else {}
    return ({"loss": "squared"} if data.regression else {"class_weight": "balanced" if data.unequal else "none"}) | few


def fitted_dense(data):
    """Fit a dense network with a hidden layer of 100 to points or images of the user's own.

    Parameters
    ----------
    data : pysnn.datasets.Dataset
        The data.

    Returns
    -------
    dict
        Settings by name; none for sequences.
    """
    if data.kind == "sequence":
        return {}
    model = f"{int(np.prod(data.x_train.shape[1:]))}-100-{len(data.classes)}"
    return {"model": model, "bias": True, "optimiser": "adam_by_inputs", "lr": 1e-2, "lr_end": 1e-4} | fitted(data)


def frozen(settings, params):
    """Say which parameters the setting `freeze` means.

    Parameters
    ----------
    settings : Settings
        Settings.
    params : dict of str to array
        All parameters.

    Returns
    -------
    set of str
        Their names.

    Raises
    ------
    ValueError
        If it, or a setting that is given by parameter, names others than there are.
    """
    words = [word for word in str(settings.freeze).split(",") if word]
    found = {word: {name for name in params if word in (name, re.sub(r".*\D", "", name))} for word in words}
    wrong = [("freeze", word) for word in words if not found[word]]
    for f in fields(settings):
        value = getattr(settings, f.name)
        wrong += [(f.name, name) for name in value if name not in params] if isinstance(value, dict) else []
    if wrong:
        raise ValueError(f"{wrong[0][0]}: expected some of {', '.join(params)}, got {wrong[0][1]!r:.60}")
    return set().union(*found.values())


def of_parameter(value, name):
    """Return what a setting says of a parameter.

    Parameters
    ----------
    value : float or dict of str to float
        The setting: one number for all, or by parameter.
    name : str
        The parameter.

    Returns
    -------
    float
        0 where it is not among those that are named.
    """
    return value.get(name, 0.0) if isinstance(value, dict) else value


def add_penalty(settings, params, grads):
    """Add the gradient of the user's own regulariser to the gradients.

    Parameters
    ----------
    settings : Settings
        Its `penalty` is the regulariser, or None.
    params, grads : dict of str to array
        Parameters, and their gradients, changed in place.

    Returns
    -------
    float
        The cost.
    """
    cost = 0.0
    for name, dw in grads.items() if settings.penalty is not None else ():
        cost_of_w, d = settings.penalty(name, params[name])
        cost += float(cost_of_w)
        dw += d
    return cost


def called(function, y, labels):
    """Call a loss function of the user's own, and check what it returns.

    Parameters
    ----------
    function : callable
        (y, labels) -> loss, dy.
    y : (B, n_out) array
        Output of the network: counts, rates or potentials; in temporal coding z, inf where silent.
    labels : (B,) array of integers
        Labels.

    Returns
    -------
    loss : float
        Mean over the batch.
    dy : (B, n_out) array
        Its gradient with respect to y, in the dtype of y.

    Raises
    ------
    ValueError
        If it returns something else.
    """
    made = function(y, labels)
    if not isinstance(made, tuple) or len(made) != 2 or np.shape(made[0]) != () or np.shape(made[1]) != y.shape:
        raise ValueError(f"loss: expected {getattr(function, '__name__', 'it')} to return a number and a gradient of shape {y.shape}, got "
                         f"{', '.join(str(np.shape(part)) for part in made) if isinstance(made, tuple) else type(made).__name__}")
    return float(made[0]), np.asarray(made[1], y.dtype)
