"""Predictions for pictures of any size: `predict_depth` for one array, `predict` for files and folders.

The network sees every picture at the size it was trained at, so the picture is squeezed to that, and its map is brought
back to the size of the picture. For each picture NAME there are then, in the output folder:

    NAME_depth.npy   float32, metres              NAME_color.png   colours, with a scale in metres
    NAME_depth.png   16-bit grey, millimetres     NAME_side.png    picture and depth side by side

or what belongs to another target, see `save` in targets/labels.py and targets/mask.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import ImageOps

from minidepth import precision
from minidepth.backend import Array, resolve_device
from minidepth.data import network_input, resize_image
from minidepth.data.pictures import opened
from minidepth.engine import Tensor, no_grad
from minidepth.errors import DataError, InputError
from minidepth.inference import fold_batch_norm
from minidepth.run_folder import TrainedModel, load_model
from minidepth.targets import inputs_of

PICTURE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".gif"))


@no_grad()
def predict_depth(model: TrainedModel, image: np.ndarray, tta: bool = False) -> np.ndarray:
    """Depth in metres, float32 (H, W), of a picture, uint8 (H, W, 3), between 0.001 m and the largest, 10 m for NYU.

    Args:
        model: from `load_model`.
        image: red, green, blue; any size.
        tta: average with the prediction for the mirrored picture, mirrored back.
    """
    if "depth" not in model.task.names:
        raise InputError(f"{model.path}: predicts {' and '.join(model.task.names)}, no depth")
    return predict_maps(model, image, tta=tta)["depth"]


@no_grad()
def predict_maps(
    model: TrainedModel, image: np.ndarray, background: np.ndarray | None = None, tta: bool = False
) -> dict[str, np.ndarray]:
    """Everything that the network says about a picture: target -> (H, W), see `Target.read`.

    Args:
        model: from `load_model`.
        image: uint8 (H, W, 3), red, green, blue; any size.
        background: the same view without the thing in front, for networks that take it.
        tta: average with the prediction for the mirrored picture, mirrored back.

    Raises:
        InputError: the network takes a background and there is none.
    """
    maps = model.task.read(network_outputs(model, image, background, tta), (image.shape[0], image.shape[1]))
    return {name: values[0] for name, values in maps.items()}


@no_grad()
def network_outputs(
    model: TrainedModel, image: np.ndarray, background: np.ndarray | None = None, tta: bool = False
) -> list[Array]:
    """The network's own outputs for a picture, (1, C, h, w) each, at the size that it has, on the CPU; as above."""
    pictures = {"image": image, "background": background}
    inputs = []
    for name in inputs_of(model.network):
        picture = pictures[name]
        if picture is None:
            raise InputError(f"{model.path}: this network takes a picture and its {name}; give it with --{name}")
        resized = resize_image(picture, model.config.size)
        small = network_input(resized, model.config.input_form, background=name == "background")  # (3, h, w)
        both = np.stack([small, small[:, :, ::-1]]) if tta else small[None]
        inputs.append(Tensor(model.network.placed(both)))
    result = precision.forward(model.network, *inputs, half=model.half)
    outputs = [output.numpy() for output in model.task.outputs(result)]  # (1 or 2, C, h, w)
    if tta:
        outputs = [(output[:1] + output[1:, :, :, ::-1]) / 2 for output in outputs]
    return outputs


def predict(
    run: Path | str,
    paths: Iterable[Path | str],
    out: Path | str | None = None,
    tta: bool = False,
    log: Callable[[str], None] = print,
    background: Path | str | None = None,
    device: str = "auto",
    amp: bool = False,
    tf32: bool = False,
) -> tuple[list[Path], list[str]]:
    """Predict the depth of picture files, and of every picture in a folder.

    Args:
        run: run folder or weight file.
        paths: picture files and folders of pictures.
        out: output folder; None is ``predictions`` in the run folder.
        tta: average with the mirrored picture.
        log: receives one line for each picture.
        background: a picture file, for networks that also take the view without the thing in front.
        device: where the network runs, ``"auto"``, ``"cpu"`` or ``"cuda"``.
        amp, tf32: on a GPU, how exactly, see precision.py.

    Returns:
        The ``_side.png`` of each picture done, and one line for each picture that could not be read.

    Raises:
        InputError: a path does not exist, a folder holds no picture, or the output cannot be written.
    """
    pictures = find_pictures(paths)
    device = resolve_device(device)
    precision.check(device, amp, tf32)
    model = load_model(run)
    model = model._replace(network=fold_batch_norm(model.network, model.config.size).to(device), half=amp)
    folder = Path(out) if out is not None else model.path.parent / "predictions"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {folder} cannot be made: {error.strerror}") from None
    behind = None if background is None else read_upright(Path(background))
    done, problems = [], []
    for path, name in pictures:
        try:
            image = read_upright(path)
        except DataError as error:
            problems.append(str(error))
            log(f"skipped: {error}")
            continue
        with precision.factors(tf32):
            maps = predict_maps(model, image, behind, tta)
        for target in model.task.targets:
            done.append(target.save(folder, name, image, maps[target.name]))
            log(f"{path} -> {done[-1]}  ({target.summary(maps[target.name])})")
    return done, problems


def find_pictures(paths: Iterable[Path | str]) -> list[tuple[Path, str]]:
    """(file, name of its results) for every picture; names that would meet are numbered."""
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES)
            if not inside:
                raise InputError(f"{path}: no picture in this folder; looked for {', '.join(sorted(PICTURE_SUFFIXES))}")
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise InputError(f"{path}: there is no such picture or folder")
    names: set[str] = set()
    named = []
    for file in files:
        name, number = file.stem, 2
        while name in names:
            name, number = f"{file.stem}_{number}", number + 1
        names.add(name)
        named.append((file, name))
    return named


def read_upright(path: Path) -> np.ndarray:
    """A picture file as uint8 (H, W, 3), turned as the camera noted in the file."""
    with opened(path) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
