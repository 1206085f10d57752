"""OTP-NS has no program: the properties that its equations have, and what becomes of its six networks."""

import math

import pytest
import torch
from torch import nn

from methods.base import Batch, Run
from methods.otp_ns import OTPNS, class_means, similarity_to_label, smoothing_strength, soft_labels, teacher_share
from methods.support.average import Frozen
from methods.support.backbones import ResNet10

CLASSES, IMAGES, EPOCHS = 7, 14, 20
LABELS = torch.arange(IMAGES) % CLASSES


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def method(**settings: object) -> OTPNS:
    torch.manual_seed(0)
    made = OTPNS(OTPNS.Parameters(**settings))
    made.build(ResNet10(1), CLASSES)
    made.begin(LABELS, Run(CLASSES, IMAGES, EPOCHS, 1, IMAGES, 16, True, 0))
    return made.train()


def batch(epoch: int = 1, seed: int = 3) -> Batch:
    images = torch.randn(IMAGES, 1, 16, 16, generator=generator(seed))
    return Batch(images, LABELS, torch.arange(IMAGES), epoch)


def stepped(made: OTPNS, epoch: int, seed: int = 3) -> dict[str, torch.Tensor]:
    optimiser = torch.optim.SGD([p for p in made.parameters() if p.requires_grad], 0.1)
    losses, _ = made.loss(batch(epoch, seed))
    sum(losses.values()).backward()
    optimiser.step()
    made.after_step(batch(epoch, seed))
    return losses


def test_the_share_of_the_teacher_falls_from_gamma_to_a_third_of_it() -> None:
    assert teacher_share(1, 60, 0.7) == 1
    assert teacher_share(2, 60, 0.7) == pytest.approx(0.7 * math.exp(-1 / 60))
    assert teacher_share(61, 60, 0.7) == pytest.approx(0.7 / math.e)


def test_soft_labels_sum_to_one_and_keep_the_largest_class() -> None:
    q = (2 * torch.randn(500, CLASSES, dtype=torch.float64, generator=generator())).softmax(1)
    eps = smoothing_strength(similarity_to_label(q, torch.arange(500) % CLASSES), 0.1, 0.3)
    assert (eps >= 0.1).all() and (eps <= 0.3).all()
    soft = soft_labels(q, eps, 1 / CLASSES)
    assert torch.allclose(soft.sum(1), torch.ones(500, dtype=torch.float64)) and (soft > 0).all()
    likely = q > 1 / CLASSES
    assert torch.allclose(soft.where(likely, 0.0).sum(1), 1 - eps)
    assert torch.equal(soft.argmax(1), q.argmax(1))
    row = int((likely.sum(1) == 2).nonzero()[0])
    first, second = q[row][likely[row]]
    assert torch.allclose(soft[row][likely[row]], (1 - eps[row]) * torch.stack([first, second]) / (first + second))


def test_a_uniform_prediction_and_a_threshold_that_nothing_reaches_keep_the_first_class() -> None:
    uniform, eps = torch.full((1, CLASSES), 1 / CLASSES), torch.tensor([0.3])
    for threshold in (1 / CLASSES, 0.99):
        assert torch.allclose(soft_labels(uniform, eps, threshold)[0], torch.tensor([0.7] + [0.05] * 6))
    assert torch.allclose(soft_labels(uniform, eps, 0.0), uniform)  # all are likely: nothing to smooth


def test_similarity_is_one_for_a_sure_right_prediction() -> None:
    q = torch.eye(CLASSES)[:2]
    assert similarity_to_label(q, torch.tensor([0, 0])).tolist() == [1, 0]
    assert smoothing_strength(torch.tensor([1.0, 0.0]), 0.1, 0.3).tolist() == pytest.approx([0.1, 0.3])


def test_centres_begin_at_the_first_batch_and_then_follow() -> None:
    made = method(centre_momentum=0.9)
    features, fresh = torch.randn(2, 4, 128, generator=generator()).unbind(0)
    labels = torch.tensor([2, 2, 5, 5])
    made.features = features
    made.after_step(Batch(torch.zeros(4, 1, 16, 16), labels, torch.arange(4)))
    assert torch.allclose(made.centres[2], features[:2].mean(0)) and made.known[:, 0].nonzero()[:, 0].tolist() == [2, 5]
    made.features = fresh
    made.after_step(Batch(torch.zeros(4, 1, 16, 16), torch.tensor([2, 2, 1, 1]), torch.arange(4)))
    assert torch.allclose(made.centres[2], 0.9 * features[:2].mean(0) + 0.1 * fresh[:2].mean(0))
    assert torch.allclose(made.centres[5], features[2:].mean(0)) and torch.allclose(made.centres[1], fresh[2:].mean(0))
    means, met = class_means(features, labels, CLASSES)
    assert met[:, 0].tolist() == [False, False, True, False, False, True, False] and not means[0].any()


def test_near_images_count_more_and_the_bias_can_stand_outside() -> None:
    made = method()
    nn.init.normal_(made.classifier.bias, generator=generator())
    features = torch.zeros(2, 128)
    features[1] = 3.0
    made.known[:], made.features = True, features
    logits = made.classifier(features)
    found = made.scaled_logits(features, logits, torch.tensor([0, 0])) / logits
    near, far = torch.sigmoid(torch.tensor([2.0, 2.0 - 3.0 * math.sqrt(128) / math.sqrt(128)]))
    assert torch.allclose(found[0], near.expand(CLASSES)) and torch.allclose(found[1], far.expand(CLASSES))
    made.settings = OTPNS.Parameters(scale_bias=False)
    outside = made.scaled_logits(features, logits, torch.tensor([0, 0]))
    assert torch.allclose(outside[0], made.classifier.bias)


def test_the_teacher_follows_and_learns_nothing_by_gradients() -> None:
    made = method(teacher_momentum=0.9)
    before = [p.clone() for p in made.teacher.network.parameters()]
    stepped(made, 1)
    for mine, old, student in zip(made.teacher.network.parameters(), before, made.student.parameters()):
        assert torch.allclose(mine, 0.9 * old + 0.1 * student) and mine.grad is None
    for mine, student in zip(made.teacher.network.buffers(), made.student.buffers()):
        assert torch.equal(mine, student)
    assert not made.teacher.network.training and made.training
    assert made.sigma.grad is not None and made.beta.grad is not None


def test_the_pool_is_empty_in_the_first_epoch_and_then_part_of_the_labels() -> None:
    made = method()
    for member in made.pool:
        for p in member.parameters():
            p.fill_(math.nan)
    assert torch.isfinite(made.supervision(batch(1))).all() and torch.isnan(made.supervision(batch(2))).any()


def test_fused_logits_weigh_members_by_accuracy() -> None:
    made = method(similarity="teacher")
    for number, network in enumerate((made.teacher, *made.pool)):
        nn.init.normal_(network.network[1].weight, generator=generator(number))
    made.accuracies.copy_(torch.tensor([0.5, 0.25, 0.25]))
    seen, share = batch(5), teacher_share(5, EPOCHS, 0.7)
    own = made.teacher(seen.images)
    pooled = sum(weight * member(seen.images) for weight, member in zip((0.5, 0.25, 0.25), made.pool))
    q = (share * own + (1 - share) * pooled).softmax(1)
    eps = smoothing_strength(similarity_to_label(own.softmax(1), LABELS), 0.1, 0.3)
    assert torch.allclose(made.supervision(seen), soft_labels(q, eps, 1 / CLASSES), atol=1e-6)


def test_the_worst_member_gives_way_to_a_better_teacher_or_after_k_epochs() -> None:
    made = method(replace_every=4)

    def ended(epoch: int, hits: float) -> list[float]:
        made.hits.copy_(torch.tensor([hits, 0.0, 100.0]))
        nn.init.constant_(made.teacher.network[1].weight, hits)
        made.after_epoch(epoch)
        return [round(100 * float(a)) for a in made.accuracies]

    assert ended(1, 30) == [30, 30, 30]
    assert ended(2, 20) == [30, 30, 30]  # not better
    assert ended(3, 50) == [50, 30, 30]
    assert ended(4, 10) == [50, 10, 30]  # in any case
    assert ended(5, 20) == [50, 20, 30]
    assert [float(m.network[1].weight[0, 0]) for m in made.pool] == [50, 20, 30]
    assert torch.allclose(made.predicting.network[1].weight, torch.full((CLASSES, 128), 100 / 3))
    assert not made.hits.any()


def test_the_mean_of_the_pool_predicts_and_the_student_is_trained() -> None:
    made = method()
    stepped(made, 1)
    nn.init.normal_(made.predicting.network[1].weight, generator=generator(4))
    images = batch().images
    student = made.logits(images)
    made.eval()
    assert torch.equal(made.logits(images), made.predicting(images)) and not torch.allclose(
        made.logits(images), student
    )


def test_an_average_is_that_of_weights_and_running_statistics() -> None:
    networks = [nn.BatchNorm1d(3) for _ in range(2)]
    for value, network in zip((1.0, 3.0), networks):
        nn.init.constant_(network.weight, value)
        network.running_mean.fill_(10 * value)
        network.num_batches_tracked.fill_(int(value))
    mean = Frozen(networks[0])
    mean.average([Frozen(network) for network in networks])
    assert mean.network.weight.tolist() == [2.0] * 3 and mean.network.running_mean.tolist() == [20.0] * 3
    assert mean.network.num_batches_tracked == 1 and not mean.train().network.training


@pytest.mark.parametrize("wrong", [{"gamma": 2}, {"replace_every": 0}, {"similarity": "student"}, {"threshold": -1}])
def test_a_setting_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=f"otp_ns.{next(iter(wrong))}"):
        OTPNS.Parameters(**wrong)
