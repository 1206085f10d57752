"""The data path: a batch of cached images, augmented at once, against one image after the other.

The reference does per image what the published programs do in a loader worker, with Pillow and torchvision, and
stacks the batch; decoding of files is not counted. Both sides run on one CPU thread, alternating; medians.

One warp by OpenCV would be faster, but its cubic filter (a = -0.75) is not Pillow's, one warp in place of two resamplings
is sharper, and one colour matrix leaves out the clipping after each change of the jitter.
"""

from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms

from benchmark.train.augment import augment_images
from methods.support.recipe import Augment
from performance.turns import time_in_turn

SCN = Augment(flip=0.25, pixel_noise=0.25, exclusive=True, erase=0.5)
LANET = Augment(flip=0.5, crop=(0.75, 1.0), jitter=0.4, erase=0.2, erase_area=(0.02, 0.2), resize="bicubic")
DEMO = Augment(erase=0.25)
ROUNDS = 7


def torchvision_pipeline(recipe: Augment, side: int) -> Callable[[Tensor], Tensor]:
    """Torchvision's pipeline on Pillow images, one uint8 [S, S, ch] tensor in, one normalised [ch, side, side] out."""
    filter = transforms.InterpolationMode(recipe.resize)
    steps = [transforms.Resize((side, side), filter)]
    if recipe.crop:
        steps += [
            transforms.RandomHorizontalFlip(),
            transforms.RandomResizedCrop(side, recipe.crop, interpolation=filter),
        ]
    if recipe.jitter:
        steps += [transforms.ColorJitter(recipe.jitter, recipe.jitter, recipe.jitter)]
    tensor = [transforms.ToTensor(), transforms.Normalize(recipe.mean, recipe.std)]
    finish = transforms.Compose([*steps, *tensor, transforms.RandomErasing(recipe.erase, recipe.erase_area)])
    random = np.random.default_rng(0)

    def one(image: Tensor) -> Tensor:
        pixels = image.numpy()
        choice = random.random() if recipe.exclusive else 1.0
        if choice < recipe.flip:
            pixels = np.ascontiguousarray(pixels[:, ::-1])
        elif choice < recipe.flip + recipe.pixel_noise:
            pixels = np.clip(pixels + random.normal(0, 30**0.5, pixels.shape), 0, 255).astype(np.uint8)
        return finish(Image.fromarray(pixels))

    return one


def compare_speed(title: str, recipe: Augment, count: int, stored: int, side: int, goal: float) -> None:
    """Print milliseconds an image of both sides and their ratio."""
    images = torch.randint(0, 256, (count, stored, stored, 3), dtype=torch.uint8)
    generator, single = torch.Generator().manual_seed(0), torchvision_pipeline(recipe, side)
    ways = {
        "batched": lambda: augment_images(images, recipe, side, generator),
        "alone": lambda: torch.stack([*map(single, images)]),
    }
    batched, alone = (1000 * median(seconds) / count for seconds in time_in_turn(ways, ROUNDS).values())
    text = f"{batched:.3f} ms an image batched, {alone:.3f} alone: {alone / batched:.1f}x (goal {goal:g}x)"
    print(f"data: {title}: {text}")


def main() -> None:
    torch.set_num_threads(1)
    compare_speed("SCN and RUL, 100 to 224 px, batch 32", SCN, 32, 100, 224, 8)
    compare_speed("SCN and RUL, 100 to 224 px, batch 64", SCN, 64, 100, 224, 8)
    compare_speed("LA-Net, 100 to 224 px, batch 32", LANET, 32, 100, 224, 5)
    images, generator = torch.randint(0, 256, (64, 48, 48, 1), dtype=torch.uint8), torch.Generator().manual_seed(0)
    ways = {"demo": lambda: augment_images(images, DEMO, 48, generator, channels=1)}
    seconds = median(time_in_turn(ways, 100)["demo"])
    print(f"data: demo batch, 64 grey images of 48 px: {1000 * seconds:.2f} ms (goal 1.5 ms)")


if __name__ == "__main__":
    main()
