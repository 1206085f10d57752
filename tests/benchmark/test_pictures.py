"""Pictures are decoded as viewers show them."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from benchmark.datasets.base import DataError
from benchmark.datasets.reading.pictures import decode_picture, read_picture

UPRIGHT = np.kron(np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8), np.ones((16, 16, 1), np.uint8))


def stored(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_are_undone_and_change_the_hash(orientation: int) -> None:
    image = Image.fromarray(UPRIGHT)
    back = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)  # the turn that undoes it
    exif = Image.Exif()
    exif[0x0112] = back
    laid = ImageOps.exif_transpose(Image.open(io.BytesIO(stored(image, exif=exif))))
    exif[0x0112] = orientation
    content = stored(laid, exif=exif)
    pixels, hashed = read_picture(content, 3, "x")
    assert (pixels == UPRIGHT).all()
    as_stored, other = read_picture(content, 3, "x", upright=False)
    assert (as_stored == np.asarray(laid)).all() and (hashed != other) == (orientation > 1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_white_whatever_colour_lies_below_it(mode: str) -> None:
    hidden = np.full((8, 8, 4), 255, np.uint8)
    hidden[..., :3], hidden[:4, :, 3] = 30, 0
    image = Image.fromarray(hidden, "RGBA")
    content = stored(image.convert("LA") if mode == "LA" else image.quantize(4) if mode == "P" else image)
    assert Image.open(io.BytesIO(content)).mode == mode
    pixels = decode_picture(content, 3, "x")
    assert (pixels[:4] == 255).all() and (abs(pixels[4:].astype(int) - 30) <= 1).all()


def test_an_opaque_picture_is_its_file_whether_or_not_it_could_be_transparent() -> None:
    content = stored(Image.fromarray(UPRIGHT).convert("RGBA"))
    pixels, hashed = read_picture(content, 3, "x")
    assert (pixels == UPRIGHT).all() and hashed == hashlib.sha256(content).hexdigest()


def test_sixteen_bits_palettes_and_cmyk() -> None:
    grey = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1040
    assert (decode_picture(stored(Image.fromarray(grey)), 1, "x") == np.rint(grey / 257)).all()
    palette = Image.fromarray(UPRIGHT).quantize(64)
    assert (decode_picture(stored(palette), 3, "x") == np.asarray(palette.convert("RGB"))).all()
    cmyk = Image.fromarray(UPRIGHT).convert("CMYK")
    assert abs(decode_picture(stored(cmyk, "TIFF"), 3, "x").astype(int) - UPRIGHT).max() <= 2


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "BMP", "TIFF", "JPEG"])
def test_kinds_of_files_are_read(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    assert (
        abs(decode_picture(stored(Image.fromarray(UPRIGHT), kind, **options), 3, "x").astype(int) - UPRIGHT).mean() < 12
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS pointer"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (stored(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), "mode F"),
        (stored(Image.fromarray(UPRIGHT))[:-60], "not a readable image .*; put a sound copy there"),
        (b"", "an empty file; copy or download it again"),
        (b"\0\0\0\x18ftypheic" + bytes(100), "a picture in HEIC, which is not read; save it as PNG or JPEG"),
        (b"\0\0\0\x1cftypavif" + bytes(100), "a picture in AVIF"),
        (stored(Image.new("L", (5000, 8))), "at most 4096 a side; shrink it"),
    ],
)
def test_what_is_no_picture_is_said_to_be_that(content: bytes, words: str) -> None:
    with pytest.raises(DataError, match=f"a/b.png: .*{words}"):
        decode_picture(content, 3, "a/b.png")
