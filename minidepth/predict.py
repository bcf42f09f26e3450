"""Depth of pictures of any size: `predict_depth` for one array, `predict` for files and folders.

The network sees every picture at the size it was trained at, so the picture is squeezed to that, and the depth map is
brought back to the size of the picture. For each picture NAME there are then, in the output folder:

    NAME_depth.npy   float32, metres              NAME_color.png   colours, with a scale in metres
    NAME_depth.png   16-bit grey, millimetres     NAME_side.png    picture and depth side by side
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from minidepth import draw, ops
from minidepth.config import MAX_DEPTH_M, MIN_DEPTH_M
from minidepth.data import network_input, resize_image
from minidepth.data.pictures import opened
from minidepth.engine import Tensor, no_grad
from minidepth.errors import DataError, InputError
from minidepth.run_folder import TrainedModel, load_model

PICTURE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".gif"))


@no_grad()
def predict_depth(model: TrainedModel, image: np.ndarray, tta: bool = False) -> np.ndarray:
    """Depth in metres, float32 (H, W), of a picture, uint8 (H, W, 3), between 0.001 and 10 m.

    Args:
        model: from `load_model`.
        image: red, green, blue; any size.
        tta: average with the prediction for the mirrored picture, mirrored back.
    """
    small = network_input(resize_image(image, model.config.size))  # (3, h, w)
    views = np.stack([small, small[:, :, ::-1]]) if tta else small[None]
    depth_m = model.network(Tensor(views)).data  # (1 or 2, 1, h, w)
    if tta:
        depth_m = (depth_m[:1] + depth_m[1:, :, :, ::-1]) / 2
    full = ops.interpolate(Tensor(depth_m), size=image.shape[:2], mode="bilinear", align_corners=False).data[0, 0]
    return np.clip(np.nan_to_num(full, nan=MIN_DEPTH_M), MIN_DEPTH_M, MAX_DEPTH_M).astype(np.float32)


def predict(
    run: Path | str,
    paths: Iterable[Path | str],
    out: Path | str | None = None,
    tta: bool = False,
    log: Callable[[str], None] = print,
) -> tuple[list[Path], list[str]]:
    """Predict the depth of picture files, and of every picture in a folder.

    Args:
        run: run folder or weight file.
        paths: picture files and folders of pictures.
        out: output folder; None is ``predictions`` in the run folder.
        tta: average with the mirrored picture.
        log: receives one line for each picture.

    Returns:
        The ``_side.png`` of each picture done, and one line for each picture that could not be read.

    Raises:
        InputError: a path does not exist, a folder holds no picture, or the output cannot be written.
    """
    pictures = find_pictures(paths)
    model = load_model(run)
    folder = Path(out) if out is not None else model.path.parent / "predictions"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {folder} cannot be made: {error.strerror}") from None
    done, problems = [], []
    for path, name in pictures:
        try:
            image = read_upright(path)
        except DataError as error:
            problems.append(str(error))
            log(f"skipped: {error}")
            continue
        depth_m = predict_depth(model, image, tta)
        done.append(save_prediction(folder, name, image, depth_m))
        log(f"{path} -> {done[-1]}  (depth {depth_m.min():.2f} to {depth_m.max():.2f} m)")
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


def save_prediction(folder: Path, name: str, image: np.ndarray, depth_m: np.ndarray) -> Path:
    """Write the four files of one picture and return the side-by-side one."""
    np.save(folder / f"{name}_depth.npy", depth_m)
    Image.fromarray(np.rint(depth_m * 1000).astype(np.uint16)).save(folder / f"{name}_depth.png")
    draw.save_depth(folder / f"{name}_color.png", depth_m)
    side = folder / f"{name}_side.png"
    draw.save_side_by_side(side, image, depth_m)
    return side
