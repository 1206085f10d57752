"""ReSup's and NLA's fast forms against literal ones, interleaved in one run: `python -m performance.later`.

Prints for each piece the ratio of the medians, the largest error relative to the largest entry, and the memory that each
side needs on top of its inputs at its peak. Only ratios carry over to another machine.
"""

import argparse
from math import exp, lgamma, log

import torch
from torch import Tensor

from methods.nla import bell, covariance, disagreement
from methods.resup import TINY, bounded, fit, flattened, look_up, posterior
from performance.methods import Contest, contend, with_gradients

CLASSES = 7


def beta_density(x: float, a: float, b: float) -> float:
    return exp((a - 1) * log(x) + (b - 1) * log(1 - x) - lgamma(a) - lgamma(b) + lgamma(a + b))


def literal_fit(x: list[float], iterations: int) -> list[list[float]]:
    """[alphas, betas, weights] of one mixture, an image at a time."""
    alphas, betas, weights = [1.0, 2.0], [2.0, 1.0], [0.5, 0.5]
    for _ in range(iterations):
        shares = []
        for value in x:
            both = [max(w * beta_density(value, a, b), TINY) for a, b, w in zip(alphas, betas, weights)]
            shares.append([one / sum(both) for one in both])
        for j in range(2):
            total = sum(share[j] for share in shares)
            mean = sum(share[j] * value for share, value in zip(shares, x)) / total
            variance = sum(share[j] * (value - mean) ** 2 for share, value in zip(shares, x)) / total
            alphas[j] = mean * (mean * (1 - mean) / variance - 1)
            betas[j], weights[j] = alphas[j] * (1 - mean) / mean, total / len(x)
    return [alphas, betas, weights]


def mixtures(images: int) -> Contest:
    """Both networks' mixtures of an epoch."""
    draws = torch.distributions.Beta(torch.tensor([2.0, 8.0]), torch.tensor([6.0, 2.0])).sample((2, images))
    x = bounded(torch.where(torch.arange(images) % 3 == 0, draws[..., 0], draws[..., 1]), 1e-4)
    return Contest(
        f"ReSup: two mixtures, {images} images",
        lambda: list(fit(x, 10)),
        lambda: list(torch.tensor([literal_fit(row.tolist(), 10) for row in x], dtype=torch.float64).unbind(1)),
        ">= 20x",
    )


def weights(images: int) -> Contest:
    """The weights of a batch from a network's table."""
    x = bounded(torch.rand(4000), 1e-4)
    table = flattened(posterior(fit(x, 10), 100))
    similar = torch.rand(images)

    def literal() -> list[Tensor]:
        found = []
        for value in similar:
            entry = float(table[min(int(100 * value), 99)])  # a wait an image on a GPU
            found.append(min(max(entry, 1e-4), 1 - 1e-4))
        return [torch.tensor(found, dtype=torch.float64)]

    return Contest(
        f"ReSup: weights of a batch, {images} images", lambda: [look_up(table, similar, 1e-4)], literal, ">= 10x"
    )


def divergences(images: int) -> Contest:
    """NLA's consistency: one logsumexp against two divergences from the softmax of the mean logits."""
    one, two = 3 * torch.randn(2, images, CLASSES)

    def literal(first: Tensor) -> Tensor:
        middle = ((first + two) / 2).softmax(1)
        parts = [(middle * (middle.log() - view.softmax(1).log())).sum(1) for view in (first, two)]
        return (sum(parts) / 2).sum()

    def fast(first: Tensor) -> Tensor:
        return disagreement(first.log_softmax(1), two.log_softmax(1)).sum()

    return Contest(
        f"NLA: divergence, {images} images", with_gradients(fast, one), with_gradients(literal, one), ">= 1.3x"
    )


def bells(images: int) -> Contest:
    """NLA's weight: sum and difference against a density with a full covariance."""
    given, other = torch.rand(2, images)
    a, b = covariance(0.8, 2.0, -0.5)
    joint = torch.distributions.MultivariateNormal(torch.tensor([0.5, 0.5]), torch.tensor([[a, b], [b, a]]))

    def literal(x: Tensor) -> Tensor:
        return joint.log_prob(torch.stack([x, other], 1)).exp().sum()

    def fast(x: Tensor) -> Tensor:
        return bell(x, other, (0.5, 0.5), (a, b)).sum()

    return Contest(
        f"NLA: bell, {images} images", with_gradients(fast, given), with_gradients(literal, given), ">= 1.5x"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {arguments.threads} thread(s), median of {arguments.repeats}, interleaved")
    print(f"{'':38} literal ms   fast ms    ratio     error  fast / literal MiB  goal")
    for make in (lambda: mixtures(12_271), lambda: weights(96), lambda: divergences(32), lambda: bells(32)):
        print(contend(make(), arguments.repeats), flush=True)


if __name__ == "__main__":
    main()
