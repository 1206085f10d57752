"""CLEX has no program: the properties that its equations have."""

import numpy as np
import pytest
import torch

from methods.base import Batch, Run
from methods.clex import CLEX, complementary_loss, exchange_logits, project_logits, random_others
from methods.support.backbones import ResNet10

CLASSES = 7


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def logits(seed: int, count: int = 40) -> torch.Tensor:
    return 3 * torch.randn(count, CLASSES, dtype=torch.float64, generator=generator(seed))


LABELS = torch.arange(40) % CLASSES


def method(**settings: object) -> CLEX:
    torch.manual_seed(0)
    made = CLEX(CLEX.Parameters(**settings))
    made.build(ResNet10(1), CLASSES)
    made.begin(LABELS, Run(CLASSES, 40, 60, 1, 40, 16, True, 0))
    return made.train()


def test_the_target_logit_never_moves_and_the_others_go_to_the_other_view() -> None:
    one, two = logits(1), logits(2)
    chosen = random_others(LABELS, CLASSES, 3, generator())
    assert (chosen.sum(1) == 3).all() and not chosen.gather(1, LABELS[:, None]).any()
    first, second = exchange_logits(one, two, chosen)
    assert torch.equal(first.gather(1, LABELS[:, None]), one.gather(1, LABELS[:, None]))
    assert torch.equal(second.gather(1, LABELS[:, None]), two.gather(1, LABELS[:, None]))
    assert torch.equal(first[chosen], two[chosen]) and torch.equal(second[chosen], one[chosen])
    assert torch.equal(first[~chosen], one[~chosen])


def test_subsets_are_uniform_over_the_other_classes_and_drawn_per_image_or_once() -> None:
    many = torch.zeros(4000, dtype=torch.int64)
    share = random_others(many, CLASSES, 3, generator()).double().mean(0)
    assert share[0] == 0 and (abs(share[1:] - 0.5) < 0.04).all()
    alike = random_others(many, CLASSES, 3, generator(), alike=True)
    assert (alike == alike[0]).all() and not (random_others(many, CLASSES, 3, generator())[:9].all(0) == alike[0]).all()


def test_without_exchange_equal_views_count_twice() -> None:
    one = logits(1)
    both = method(exchange=0.0, dropped=0).complementary(one, one, LABELS, generator())
    pushed = torch.ones(40, CLASSES).scatter(1, LABELS[:, None], 0.0).bool()
    alone = complementary_loss(project_logits(one, 3, "logits", 1e-6).log_softmax(1), pushed)
    assert both.item() == pytest.approx(2 * alone.item())


def test_what_is_pushed_down_are_the_logits_after_the_exchange() -> None:
    one, two, draw = logits(1), logits(2), generator(9)
    swapped, pushed = (random_others(LABELS, CLASSES, n, draw).numpy() for n in (3, 5))
    total = 0.0
    for mine, other in ((one.numpy(), two.numpy()), (two.numpy(), one.numpy())):
        u = np.maximum(np.where(swapped, other, mine), 1e-6)
        q = u / (u**3).sum(1, keepdims=True) ** (1 / 3)
        total += ((q - np.log(np.exp(q).sum(1, keepdims=True))) * pushed).sum(1).mean()
    assert method().complementary(one, two, LABELS, generator(9)).item() == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("lower_bound", ["none", "norm"])
def test_a_common_factor_changes_nothing_without_a_lower_bound_of_the_logits(lower_bound: str) -> None:
    made = method(lower_bound=lower_bound)
    found = [made.complementary(f * logits(1), f * logits(2), LABELS, generator()).item() for f in (1, 7.5)]
    assert found[0] == pytest.approx(found[1], rel=1e-12)


@pytest.mark.parametrize(("lower_bound", "lowest"), [("none", -13.516), ("logits", -12.993)])
def test_one_view_lies_in_its_range(lower_bound: str, lowest: float) -> None:
    pushed = torch.ones(1, CLASSES).scatter(1, torch.zeros(1, 1, dtype=torch.int64), 0.0).bool()

    def value(direction: list[float]) -> float:
        z = torch.tensor([direction], dtype=torch.float64)
        return complementary_loss(project_logits(z, 3, lower_bound, 1e-6).log_softmax(1), pushed).item()

    assert value([1.0] * 7) == pytest.approx(-11.675, abs=1e-3)
    assert value([1.0] + [0.0] * 6) == pytest.approx(-12.993, abs=1e-3)
    assert value([0.892] + [-0.364 * 1.0] * 6) == pytest.approx(lowest, abs=2e-3)
    for row in logits(5, 400).tolist():
        assert lowest - 1e-3 <= value(row) <= -11.028 + 1e-3


def test_negative_logits_have_a_gradient_only_without_the_lower_bound() -> None:
    for lower_bound, moves in (("logits", False), ("none", True)):
        z = (-logits(1).abs()).scatter(1, LABELS[:, None], 1.0).requires_grad_()
        project_logits(z, 3, lower_bound, 1e-6).log_softmax(1)[:, 0].sum().backward()
        others = z.grad.scatter(1, LABELS[:, None], 0.0)
        assert bool(others.any()) == moves


def test_the_whole_loss_is_its_equations_in_numpy() -> None:
    made = method()
    images = torch.randn(40, 1, 16, 16, generator=generator(3))
    second = images.flip(3) + 0.1
    losses, found = made.loss(Batch(images, LABELS, torch.arange(40), 1, generator(9), second=second))
    losses = {name: value.detach() for name, value in losses.items()}
    z, z2 = (made.classifier(made.backbone.maps(v).mean((2, 3))).detach().double().numpy() for v in (images, second))
    np.testing.assert_allclose(found.detach().numpy(), z, atol=1e-4)
    draw = generator(9)
    swapped, pushed = (random_others(LABELS, CLASSES, n, draw).numpy() for n in (3, 5))
    total = 0.0
    for mine, other in ((z, z2), (z2, z)):
        u = np.maximum(np.where(swapped, other, mine), 1e-6)
        q = u / (u**3).sum(1, keepdims=True) ** (1 / 3)
        log_p = q - np.log(np.exp(q).sum(1, keepdims=True))
        total += (log_p * pushed).sum(1).mean()
    assert float(losses["complementary"]) == pytest.approx(total, rel=1e-4)
    ce = sum(np.log(np.exp(v).sum(1)).mean() - v[np.arange(40), LABELS].mean() for v in (z, z2))
    assert float(losses["ce"]) == pytest.approx(0.4 * ce, rel=1e-4)
    assert float(losses["attention"]) > 0


def test_half_the_cross_entropy_of_two_views_is_left_without_the_other_terms() -> None:
    made = method(weight_ce=0.5, weight_attention=0.0, weight_complementary=0.0)
    images = torch.randn(40, 1, 16, 16, generator=generator(3))
    losses, z = made.loss(Batch(images, LABELS, torch.arange(40), 1, generator(9), second=images))
    ce = torch.nn.functional.cross_entropy(z, LABELS).item()
    assert sum(losses.values()).item() == pytest.approx(ce, rel=1e-5)


def test_the_second_view_is_what_the_parameter_says() -> None:
    for view in ("independent", "shared"):
        assert CLEX.adapt(CLEX.recipe, CLEX.Parameters(view2=view), True).augment.second_view == view


@pytest.mark.parametrize("wrong", [{"lower_bound": "all"}, {"exchange": 1.5}, {"draw": "epoch"}, {"eps": 0}])
def test_a_setting_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=f"clex.{next(iter(wrong))}"):
        CLEX.Parameters(**wrong)
