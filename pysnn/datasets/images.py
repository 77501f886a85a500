"""Folders of images, a folder in it for each class."""

import numpy as np

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
GREY = ("1", "L", "LA")
COLOUR = ("P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")


def read_folder(path, size=None, channels=None, resize=True):
    """Read all images of a folder.

    Parameters
    ----------
    path : pathlib.Path
        The folder; in it a folder for each class. Files with other endings than those of images, and hidden ones, are left out.
    size : (int, int), optional
        Height and width; default: that of the first image.
    channels : {1, 3}, optional
        1 for grey, 3 for colour; default: 3 if the first image of a class is in colour.
    resize : bool
        Whether images of another size are brought to `size`, or refused.

    Returns
    -------
    x : numpy.ndarray
        uint8 (N, H, W) or (N, H, W, 3).
    y : numpy.ndarray
        (N,) names of the classes.

    Raises
    ------
    ImportError
        If Pillow is not installed.
    ValueError
        If a folder holds no images, or an image cannot be read or has another size.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("reading images needs Pillow: pip install pillow") from error
    if not path.is_dir():
        raise ValueError(f"{path}: expected a folder with a folder of images for each class, got none")
    if channels not in (None, 1, 3):
        raise ValueError(f"channels: expected 1 or 3, got {channels!r}")
    files = {folder.name: _images(folder) for folder in sorted(path.iterdir()) if folder.is_dir() and not folder.name.startswith(".")}
    if stray := _images(path):
        raise ValueError(f"{path}: expected images in a folder for each class, got {stray[0].name} beside the folders")
    if not files or not all(files.values()):
        empty = next((name for name, some in files.items() if not some), "")
        raise ValueError(f"{path}: expected a folder of images for each class, got {f'none in {empty}' if empty else 'no folders'}")
    if channels is None:
        with_colour = [_opened(Image, some[0])[0] not in GREY for some in files.values()]
        channels = 3 if any(with_colour) else 1
    resize = resize and size is not None
    paths, first = [file for some in files.values() for file in some], None
    x = None
    for k, file in enumerate(paths):
        _, image = _opened(Image, file, "RGB" if channels == 3 else "L", (size[1], size[0]) if resize else None)
        if x is None:
            first, shape = (file, image.shape) if size is None or resize else ("the training part", (*size, *image.shape[2:]))
            x = np.empty((len(paths), *shape), np.uint8)
        if image.shape != shape:
            raise ValueError(f"{file}: expected an image of {shape[0]} x {shape[1]} pixels as in {first}, got {image.shape[0]} x "
                             f"{image.shape[1]}; size=(height, width) brings all to one size")
        x[k] = image
    return x, np.repeat(list(files), [len(some) for some in files.values()])


def _images(folder):
    """List the images of a folder."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in ENDINGS and not file.name.startswith(".") and file.is_file())


def _opened(Image, file, mode=None, size=None):
    """Return the mode of an image, and its pixels in another mode and size (width, height) if asked for."""
    try:
        with Image.open(file) as image:
            if image.mode not in (*GREY, *COLOUR):
                raise ValueError(f"pixels of mode {image.mode}, which are not of 8 bits")
            if mode is None:
                return image.mode, None
            changed = image.convert(mode)
            return image.mode, np.asarray(changed if size is None else changed.resize(size))
    except Exception as error:      # Pillow: a damaged file can fail anywhere
        raise ValueError(f"{file}: expected an image, got a damaged file or another ({' '.join(str(error).split())!s:.100})") from None
