"""Pictures as a viewer shows them: turned as their EXIF says, transparency on white, 8 bits a channel."""

import hashlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmark.datasets.base import DataError, Rows

LARGEST_SIDE = 4096  # pixels
IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF")
ENDINGS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif")
# Named as pictures, too.
UNREAD = (".heic", ".heif", ".avif", ".jp2", ".jxl", ".svg", ".psd", ".raw", ".pgm", ".ppm", ".npy")
ORIENTATION = 0x0112  # EXIF tag; 1 is upright
FORMS = {b"ftypheic": "HEIC", b"ftypheix": "HEIC", b"ftypmif1": "HEIF", b"ftypavif": "AVIF", b"JXL ": "JPEG XL"}
LFS = b"version https://git-lfs"


def is_picture(name: str) -> bool:
    return name.lower().endswith(ENDINGS)


def decode_picture(content: bytes, channels: int, where: str, upright: bool = True) -> np.ndarray:
    """An image file as uint8 [H, W] (channels 1) or [H, W, 3] RGB; raises DataError for a broken or huge one."""
    return read_picture(content, channels, where, upright)[0]


def read_picture(content: bytes, channels: int, where: str, upright: bool = True) -> tuple[np.ndarray, str]:
    """The same and a hash: of the file's bytes, and of what was done to show it. upright: turn it as its EXIF says."""
    from PIL import Image

    refuse_other_files(content, where)
    try:
        with Image.open(io.BytesIO(content), formats=IMAGE_FORMATS) as image:
            if max(image.size) > LARGEST_SIDE:
                size_text = f"{image.width} x {image.height} pixels"
                raise DataError(f"{where}: {size_text}, at most {LARGEST_SIDE} a side; shrink it")
            shown_image, done_steps = convert_as_shown(image, where, upright)
            pixels = np.asarray(shown_image.convert("L" if channels == 1 else "RGB"))
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise DataError(f"{where}: far more than {LARGEST_SIDE} pixels a side; shrink it") from None
    except Exception as error:  # Pillow's decoders raise many kinds for a broken file
        error_text = f"{type(error).__name__}, {len(content):,} bytes"
        raise DataError(f"{where}: not a readable image ({error_text}); put a sound copy there") from None
    return pixels, hashlib.sha256(content + done_steps.encode()).hexdigest()


def make_picture_rows(
    names: list[str],
    labels: np.ndarray,
    read_row: Callable[[int], tuple[np.ndarray, str]],
    landmarks: np.ndarray | None = None,
) -> Rows:
    """Rows whose files are read once, for the pixels and the hash; read_row: as `read_picture` returns them."""
    file_hashes = [""] * len(names)

    def image(row: int) -> np.ndarray:
        pixels, file_hashes[row] = read_row(row)
        return pixels

    return Rows(names, labels, image, landmarks=landmarks, pixels=file_hashes)


def convert_as_shown(image: Any, where: str, upright: bool) -> tuple[Any, str]:
    """A Pillow image as a viewer shows it, and what was done to it in a few letters."""
    from PIL import Image, ImageOps

    done_steps = ""
    if upright and image.getexif().get(ORIENTATION, 1) in range(2, 9):
        image = ImageOps.exif_transpose(image)
        done_steps = "turned"
    if image.mode.startswith(("I", "F")):
        image = convert_to_8_bits(image, where)
        done_steps = done_steps + "8 bit"
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layers = image.convert("RGBA")
        if layers.getextrema()[3][0] < 255:
            image = Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers)
            done_steps = done_steps + "on white"
    return image, done_steps


def convert_to_8_bits(image: Any, where: str) -> Any:
    """A grey image of 16 bits with 8; other numbers have no agreed white."""
    from PIL import Image

    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise DataError(f"{where}: pixels of mode {image.mode}, expected 8 or 16 bits a channel; save it as PNG")
    return Image.fromarray(np.rint(values.astype(np.float64) / 257).astype(np.uint8))


def refuse_other_files(content: bytes, where: str) -> None:
    """Raises DataError for what is downloaded in place of a picture."""
    if content.startswith(LFS):
        raise DataError(f"{where}: a Git LFS pointer, not the picture; run: git lfs pull")
    if content[:200].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise DataError(f"{where}: a web page, not a picture; download it again")
    if not content:
        raise DataError(f"{where}: an empty file; copy or download it again")
    for file_mark, form_name in FORMS.items():
        if content.startswith(file_mark, 4):
            raise DataError(f"{where}: a picture in {form_name}, which is not read; save it as PNG or JPEG")
