"""What methods can choose: those of rates (proxy, tandem, surrogate, conversion, ann) share most, and have no options they do not use."""

from dataclasses import dataclass

from .. import models, optim

CHOICES = {"init": ("uniform", "kaiming"), "reset": ("subtract", "zero"), "fire": (">=", ">"), "readout": ("spikes", "potential"),
           "loss": ("cross_entropy", "mse"), "on": ("counts", "rates"), "statistics": ("shared", "separate", "running"),
           "surrogate": ("atan", "fast_sigmoid", "sigmoid", "triangle"), "optimiser": ("adam", "sgd"),
           "schedule": ("cosine", "exponential"), "dtype": ("float32", "float64"), "backend": ("auto", "reference", "numba", "cuda")}
RANGES = {"n_steps": (1, 10_000), "threshold": (1e-6, 1e6), "v_init": (-100, 1), "slope": (1e-6, 1e6), "percentile": (50, 100),
          "freeze_after": (0, 1e9), "crop": (0, 10_000), "shift": (0, 1000), "drop": (0, 0.99), "beta1": (0, 0.9999), "beta2": (0, 0.99999),
          "weight_decay": (0, 1e3), "gamma": (-100, 100), "lr": (1e-12, 1e3), "lr_end": (1e-12, 1e3), "batch": (1, 1e9), "epochs": (0, 1e9)}
WHOLE = ("n_steps", "freeze_after", "crop", "shift", "batch", "epochs")
FLAGS = ("bias", "clip", "flip", "detach_reset")
OF_IMAGES = ("crop", "shift", "flip")      # what only a model on images can use


@dataclass(frozen=True)
class Common:
    """What every rate method can choose."""

    model: str = "fashion-proxy:32"  # a name or a line such as 28x28x1-32C3-P2-100-10
    bias: bool = False               # biases of dense layers; convolutions have batch normalisation instead
    init: str = "kaiming"            # weights between +-sqrt(6/n_in) (kaiming) or +-1/sqrt(n_in) (uniform, the papers')
    gamma: float = 1.0               # scale behind batch normalisation, in the beginning
    loss: str = "cross_entropy"      # or mse, against one-hot
    freeze_after: int = 0            # epochs after which batch normalisation uses running statistics in training, too; 0: never
    crop: int = 0                    # side of a random part of the image that is kept, in the middle of zeros; 0: the whole image
    flip: bool = False               # images are mirrored at random, left to right
    shift: int = 0                   # images move by up to so many pixels
    optimiser: str = "adam"          # adam or sgd
    beta1: float = 0.9               # of adam
    beta2: float = 0.999             # of adam
    weight_decay: float = 0.0        # lambda of the cost lambda/2 times the squared parameters; it is counted in the loss
    lr: float = 1e-3
    lr_end: float = 1e-5
    schedule: str = "cosine"         # cosine or exponential
    batch: int = 100
    epochs: int = 20
    dtype: str = "float32"
    backend: str = "auto"

    def __post_init__(self):
        """Refuse settings that mean nothing, before any work is done."""
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if name in CHOICES and value not in CHOICES[name]:
                raise ValueError(f"{name}: expected one of {', '.join(CHOICES[name])}, got {value!r}")
            if name in RANGES:
                low, high = RANGES[name]
                if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                    raise ValueError(f"{name}: expected a number from {low:g} to {high:g}, got {value!r}")
            if name in WHOLE and not isinstance(value, int):
                raise ValueError(f"{name}: expected a whole number, got {value!r}")
            if name in FLAGS and not isinstance(value, bool):
                raise ValueError(f"{name}: expected true or false, got {value!r}")
        shape, parts = models.parts(self.model)
        if getattr(self, "readout", "spikes") == "potential" and len(parts) < 2:
            raise ValueError(f"readout: expected a model with a hidden layer for 'potential', or no neuron spikes, got {self.model}")
        if any(getattr(self, name) for name in OF_IMAGES) and len(shape) != 3:
            raise ValueError(f"crop, shift, flip: expected a model on images such as 28x28x1-..., got {self.model}")
        if self.crop > min(shape[:2]):
            raise ValueError(f"crop: expected at most the side of an image, {min(shape[:2])}, got {self.crop}")


@dataclass(frozen=True)
class Spiking(Common):
    """What every method with integrate-and-fire neurons of a threshold of their own can choose."""

    n_steps: int = 15                # T
    threshold: float = 1.0
    reset: str = "subtract"          # or zero
    fire: str = ">="                 # or >
    v_init: float = 0.0              # membrane potential before the first step, in units of the threshold
    readout: str = "spikes"          # y: spike counts of the outputs (spikes), or their summed current, without firing (potential)
    on: str = "counts"               # what the loss sees: y (counts) or y/T (rates)


DATA = {   # what each data set needs
    "xor": {"model": "2-8-2", "batch": 4, "epochs": 200},
    "yin-yang": {"model": "4-120-3", "batch": 20, "epochs": 40},
    "fashion-sample": {"model": "28x28x1-16C3-P2-16C3-P2-100-10", "epochs": 6},
    "fashion-mnist": {"flip": True},
    "mnist": {},
    "cifar10": {"model": "cifar-vgg:16", "shift": 2, "flip": True},
}


def chooser(settings, presets, data=None, always=("model", "crop")):
    """Return the function `settings_for` of a method.

    Parameters
    ----------
    settings : type
        The method's Settings.
    presets : dict of str to dict
        Its presets.
    data : dict of str to dict, optional
        What each data set needs beyond the preset `ours`; default: that of the rate methods.
    always : tuple of str
        Which of that holds for other presets, too.

    Returns
    -------
    callable
        settings_for(data, preset="ours", **chosen): the preset, what the data set needs, and what the user chose, each stronger than
        the one before; of a model on flat input without crop, shift and flip of the first two. A ValueError for an unknown preset or
        setting, or a value out of range.
    """
    needs = DATA if data is None else data
    names = settings.__dataclass_fields__

    def settings_for(data, preset="ours", **chosen):
        """Put settings together: the preset, what the data set needs, and what the user chose."""
        if preset not in presets:
            raise ValueError(f"preset: expected one of {', '.join(presets)}, got {preset!r}")
        if unknown := sorted(set(chosen) - set(names)):
            raise ValueError(f"unknown setting {unknown[0]!r}: expected one of {', '.join(names)}")
        needed = {name: value for name, value in needs.get(data, {}).items() if preset == "ours" or name in always}
        given = {**presets[preset], **needed}
        if "crop" in names and len(models.parts({"model": names["model"].default, **given, **chosen}["model"])[0]) != 3:
            given = {name: value for name, value in given.items() if name not in OF_IMAGES}
        return settings(**{**given, **chosen})

    return settings_for


def optimiser(settings, params):
    """Return the optimiser that the settings say.

    Parameters
    ----------
    settings : dataclass
        Settings of any method.
    params : dict of str to array
        What it will change.

    Returns
    -------
    object
        With `update` and `state`.
    """
    betas = {name: getattr(settings, name) for name in ("beta1", "beta2") if hasattr(settings, name)}
    return optim.OPTIMISERS[settings.optimiser](params, **(betas if settings.optimiser == "adam" else {}))
