"""LA-Net as the engine uses it: published steps, what it remembers, what it refuses, what it never asks the device."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden_files import load, recipe_images, recipe_weights, subsample

from methods.base import Batch, Run
from methods.lanet.method import LANet
from methods.lanet.targets import Brush, map_points
from methods.support.backbones import BACKBONES
from performance import literal

PLACES = (  # of a published name in ours
    ("fer_layer", "backbone.layer"),
    *((f"lm_layer{i}", f"landmark.layers.{i - 2}") for i in (2, 3, 4)),
    *((f"latlayer{i}", f"landmark.laterals.{i - 1}") for i in (1, 2, 3, 4)),
    ("fer_fc_proj", "project.expression"),
    ("lm_fc_proj", "project.landmark"),
    ("fer_fc", "classifier"),
    ("lm_fc", "heat_maps"),
    ("smooth.fer_score", "scores.expression"),
    ("smooth.lm_score", "scores.landmark"),
    ("", "backbone."),
)
NETS = (("fc_in", "split"), ("fc_out.0", "join"), ("fc_out.2", "hidden"), ("fc_out.4", "score"))


def ours(name: str) -> str:
    """Our name of a published parameter."""
    published, place = next(pair for pair in PLACES if name.startswith(pair[0]))
    name = place + name[len(published) :]
    for theirs, mine in NETS:
        name = name.replace(theirs, mine)
    return name


def make(
    parameters: dict, images: int = 24, batch: int = 8, side: int = 64, classes: int = 7, labels=None, **facts
) -> LANet:
    """A method on a fresh ResNet-18 (or another backbone), as the engine makes it, in training mode."""
    torch.manual_seed(0)
    method = LANet(LANet.Parameters(**parameters))
    backbone = BACKBONES[facts.pop("backbone", "resnet18")](facts.pop("channels", 3))
    method.build(backbone, classes)
    steps = facts.pop("steps_per_epoch", images // batch)
    run = Run(classes, images, facts.pop("epochs", 3), steps, batch, side, noisy=True, seed=facts.pop("seed", 5))
    labels = torch.arange(images) % classes if labels is None else labels
    method.begin(labels, run)
    return method.train()


def learning(method: LANet) -> list[torch.nn.Parameter]:
    return [p for _, p in method.named_parameters() if p.requires_grad]


def small(parameters: dict | None = None, **facts) -> LANet:
    defaults = {"neighbours": 3, "queue": 16}
    return make(defaults | (parameters or {}), side=32, backbone="resnet10_w16", channels=1, **facts)


def small_batch(method: LANet, index=(0, 1, 2, 3, 4, 5, 6, 7), seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    index = torch.tensor(index)
    return Batch(
        images=torch.randn(len(index), 1, 32, 32, generator=generator),
        labels=method.labels[index],
        index=index,
        landmarks=32 * torch.rand(len(index), 19, 2, generator=generator),
        usable=torch.ones(len(index), dtype=torch.bool),
        flipped=torch.zeros(len(index), dtype=torch.bool),
        second=torch.randn(len(index), 1, 32, 32, generator=generator),
    )


class PublishedSteps:
    """The published three-step run, set up in `dtype`."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.golden, self.dtype = load("lanet_step_01"), dtype
        golden = self.golden
        landmark, distribution, contrastive = map(float, golden["lam_lm_kl_cl"])
        parameters = {
            "neighbours": int(golden["K"]),
            "label_momentum": float(golden["dis_momentum"]),
            "confidence": float(golden["confidence"]),
            "queue": int(golden["banksize"]),
            "landmark_weight": landmark,
            "distribution_weight": distribution,
            "contrastive_weight": contrastive,
        }
        self.weights = landmark, distribution, contrastive
        method = make(parameters, labels=torch.from_numpy(golden["labels"]))
        method.heat_maps = torch.nn.Conv2d(64, int(golden["landmark_num"]), 1, bias=False)
        method.brush = Brush()
        self.method = load_published(method.to(dtype), golden)
        for name, bank in (("expression", "fer"), ("landmark", "lm")):
            getattr(method, f"{name}_queue").copy_(torch.from_numpy(golden[f"{bank}_bank_init"]))
        self.optimiser = torch.optim.Adam(learning(method), lr=float(golden["base_lr"]))

    def images(self, step: int) -> torch.Tensor:
        golden = self.golden
        return recipe_images(golden[f"s{step}_image_blocks"], golden["mean"], golden["std"]).to(self.dtype)

    def batch(self, step: int) -> Batch:
        index = torch.from_numpy(self.golden[f"s{step}_idx"])
        points = torch.from_numpy(self.golden[f"s{step}_landmark_points"]).float()
        landmarks = torch.where(points < 0, 4 * points - 2, 4 * points)  # pixels that are truncated to these points
        usable = torch.ones(len(index), dtype=torch.bool)
        return Batch(self.images(step), self.method.labels[index], index, landmarks=landmarks, usable=usable)

    def backward(self, step: int) -> tuple[dict, torch.Tensor]:
        losses, logits = self.method.loss(self.batch(step))
        self.optimiser.zero_grad()
        sum(losses.values()).backward()
        return losses, logits

    def update(self, step: int) -> None:
        self.optimiser.param_groups[0]["lr"] = float(self.golden[f"s{step}_lr"])
        self.optimiser.step()
        self.method.after_step(self.batch(step))


def load_published(method: LANet, golden: dict) -> LANet:
    """Published start weights in the query encoder and, as at the start of every run, the same in the key encoder."""
    keys, shapes, seeds = golden["param_keys"], golden["param_shapes"], golden["param_seeds"]
    weights = recipe_weights(keys, shapes, seeds, torch.float64)
    state = method.state_dict()
    for name, value in weights.items():
        assert state[ours(name)].shape == value.shape, name
        state[ours(name)] = value
    method.load_state_dict(state)
    with torch.no_grad():
        for key, query in zip(method.key.parameters(), method.query_encoder().parameters()):
            key.copy_(query)
    return method


def close(found: torch.Tensor, expected, rtol: float, largest: float = 0.0) -> None:
    expected = np.asarray(expected, np.float64)
    atol = largest * np.abs(expected).max()
    np.testing.assert_allclose(found.detach().double().numpy().reshape(expected.shape), expected, rtol=rtol, atol=atol)


def check_step(
    run: PublishedSteps, step: int, losses: dict, logits: torch.Tensor, rtol: float, gradient: tuple
) -> None:
    golden, prefix = run.golden, f"s{step}_"
    close(logits, golden[prefix + "fer_preds"], rtol, rtol)
    close(losses["ce"], golden[prefix + "ce"], rtol)
    for name, short, weight in zip(("landmark", "distribution", "contrastive"), ("lm", "kl", "cl"), run.weights):
        close(losses[name] / weight, golden[prefix + short], rtol)
    close(sum(losses.values()), golden[prefix + "total"], rtol)
    parameters = dict(run.method.named_parameters())
    for field in golden:
        if field.startswith(prefix + "grad."):
            name = field[len(prefix + "grad.") :]
            close(torch.from_numpy(subsample(parameters[ours(name)].grad)), golden[field], *gradient)
    norms = torch.stack([parameters[ours(str(name))].grad.norm() for name in golden["grad_norm_keys"]])
    close(norms, golden[prefix + "grad_norms"], *gradient)


def published_targets(landmarks, image_side, side, brush, exact):
    points = map_points(landmarks, image_side / side).numpy()
    return tuple(map(torch.from_numpy, literal.landmark_targets(points, side)))


@pytest.mark.parametrize("arithmetic", ["ours", pytest.param("published", marks=pytest.mark.slow)])
def test_three_published_steps(arithmetic, monkeypatch):
    """Heat maps as products of rounded exponentials differ in the last bit, and Adam makes more of it."""
    rtol, gradient = 1e-5, (1e-5, 1e-6)
    if arithmetic == "published":
        monkeypatch.setattr("methods.lanet.method.landmark_targets", published_targets)
        rtol, gradient = 1e-6, (1e-6, 1e-8)
    run = PublishedSteps(torch.float64)
    golden, method = run.golden, run.method
    for step in range(3):
        losses, logits = run.backward(step)
        check_step(run, step, losses, logits, rtol, gradient)
        close(method.bank[run.batch(step).index], golden[f"s{step}_targets"], rtol)
        run.update(step)
        close(method.bank, golden[f"s{step}_label_bank"], rtol)
        np.testing.assert_array_equal(method.queue_labels, golden[f"s{step}_target_bank"])
        assert method.pointer == golden[f"s{step}_queue_ptr"][0]
        close(method.backbone.bn1.running_mean, golden[f"s{step}_f_q.bn1.running_mean"], rtol, rtol)
        close(method.backbone.bn1.running_var, golden[f"s{step}_f_q.bn1.running_var"], rtol, rtol)
        close(method.backbone.bn1.weight, golden[f"s{step}_f_q.bn1.weight"], rtol)
        close(method.classifier.weight, golden[f"s{step}_f_q.fer_fc.weight"], rtol, 1e-6)
        close(method.key[0].bn1.weight, golden[f"s{step}_f_k.bn1.weight"], rtol)
        close(method.key[2]["expression"][2].bias, golden[f"s{step}_f_k.fer_fc_proj.2.bias"], rtol, 1e-6)
    close(method.expression_queue, golden["fer_bank_final"], 1e-5, 1e-6)
    close(method.landmark_queue, golden["lm_bank_final"], 1e-5, 1e-6)
    method.eval()
    with torch.no_grad():
        close(method.logits(run.images(2)), golden["eval_logits"], 1e-4)


def test_first_published_step_in_single_precision():
    run = PublishedSteps(torch.float32)
    losses, logits = run.backward(0)
    check_step(run, 0, losses, logits, 1e-4, (0, 5e-3))


@pytest.mark.parametrize("processes", [1, 2])
def test_everything_behind_the_backbone_as_published(processes, monkeypatch):
    golden = load(f"lanet_head_ws{processes}_01")
    distribution, contrastive = map(float, golden["lam_lm_kl_cl"][1:])
    parameters = {
        "neighbours": int(golden["K"]),
        "label_momentum": float(golden["dis_momentum"]),
        "confidence": float(golden["confidence"]),
        "queue": golden["fer_bank_init"].shape[1],
        "landmark_weight": 0.0,
        "distribution_weight": distribution,
        "contrastive_weight": contrastive,
        "emulate_processes": processes,
    }
    index = torch.from_numpy(golden["idx"])
    method = make(parameters, images=30, batch=len(index), labels=torch.from_numpy(golden["labels"])).double()
    load_published(method, golden)
    for name, bank in (("expression", "fer"), ("landmark", "lm")):
        getattr(method, f"{name}_queue").copy_(torch.from_numpy(golden[f"{bank}_bank_init"]))
    method.queue_labels.copy_(torch.from_numpy(golden["target_bank_init"]))
    x = torch.from_numpy(golden["x"]).double().requires_grad_()
    monkeypatch.setattr(method, "encode", lambda backbone, landmark, images: (images[:, :512], images[:, 512:]))
    for landmark in (method.landmark, method.key[1]):
        monkeypatch.setattr(landmark, "feature", lambda maps: maps)
    batch = Batch(x, method.labels[index], index)
    losses, logits = method.loss(batch)
    total = sum(losses.values())
    total.backward()
    method.after_step(batch)

    ranks = range(processes)
    close(logits, np.concatenate([golden[f"rank{r}_fer_preds"] for r in ranks]), 1e-7)
    close(method.bank[index], np.concatenate([golden[f"rank{r}_targets"] for r in ranks]), 1e-7)
    close(losses["contrastive"] / contrastive, np.mean([golden[f"rank{r}_cl"] for r in ranks]), 1e-7)
    close(total, np.mean([golden[f"rank{r}_total"] for r in ranks]), 1e-7)
    close(x.grad * processes, np.concatenate([golden[f"rank{r}_grad_x"] for r in ranks]), 1e-7, 1e-9)
    gradients = {str(name): dict(method.named_parameters())[ours(str(name))].grad for name in golden["param_keys"]}
    close(torch.stack([g.norm() for g in gradients.values()]), golden["avg_grad_norms"], 1e-7)
    for field in golden:
        if field.startswith("avg_grad."):
            close(gradients[field[len("avg_grad.") :]], golden[field], 1e-7, 1e-9)
    close(method.expression_queue, golden["fer_bank_after"], 1e-6, 1e-6)
    close(method.landmark_queue, golden["lm_bank_after"], 1e-6, 1e-6)
    np.testing.assert_array_equal(method.queue_labels, golden["target_bank_after"])
    close(method.bank, golden["label_bank_after"], 1e-7)
    assert method.pointer == golden["queue_ptr_after"][0]


def test_start_weights_go_where_the_published_loader_puts_them():
    golden = load("lanet_keymap_resnet18")
    torch.manual_seed(1)
    backbone = BACKBONES["resnet18"](3)
    start = {name: value.clone() for name, value in backbone.state_dict().items()}
    method = LANet()
    method.build(backbone, 7)
    state = method.state_dict()
    for name, source in zip(golden["model_keys"], golden["source_checkpoint_keys"]):
        if source:
            torch.testing.assert_close(state[ours(str(name))], start[str(source)], rtol=0, atol=0)


def test_heat_maps_and_landmark_feature_as_published():
    golden = {name: torch.from_numpy(np.array(value)).double() for name, value in load("lanet_lateral_01").items()}
    backbone = BACKBONES["resnet10_w16"](1)
    method = LANet()
    method.build(backbone, 7)
    branch, head = method.landmark.double(), torch.nn.Conv2d(4, 3, 1, bias=False)
    maps = [golden[f"feat{i}"].requires_grad_() for i in (1, 2, 3, 4)]
    head.weight = torch.nn.Parameter(golden["lm_fc_weight"])
    for i, lateral in enumerate(branch.laterals, 1):
        lateral.weight = torch.nn.Parameter(golden[f"lat{i}_weight"])
    heat, feature = branch.heat_maps(maps, head), branch.feature(maps)
    close(heat, golden["lm_preds"], 1e-9, 1e-12)
    close(feature, golden["pooled"], 1e-9)
    (heat.square().mean() + feature.pow(3).sum()).backward()
    for i, h in enumerate(maps, 1):
        close(h.grad, golden[f"grad_feat{i}"], 1e-9, 1e-12)


def test_a_whole_step_equals_the_literal_one():
    method = small({"confidence": 0.93}).double()
    method.brush = Brush()  # the literal form knows the published lengths only
    batch = small_batch(method, seed=4)
    batch.images = batch.images.double()
    method.queue_labels.copy_(torch.arange(16) % 7)
    found, gradients = {}, {}
    for form in ("literal", "fast"):
        for _, parameter in method.named_parameters():
            parameter.grad = None
        found[form] = literal.literal_losses(method, batch) if form == "literal" else method.loss(batch)[0]
        sum(found[form].values()).backward()
        gradients[form] = {name: p.grad for name, p in method.named_parameters() if p.requires_grad}
    assert found["fast"].keys() == found["literal"].keys()
    for name, value in found["fast"].items():
        close(value, found["literal"][name].detach(), 1e-6 if name == "landmark" else 1e-10)
    for name, gradient in gradients["fast"].items():
        close(gradient, gradients["literal"][name], 1e-6, 1e-6)


def test_a_step_never_asks_the_device_for_a_number():
    """On the meta device there are no numbers: whatever would wait for one (.item(), boolean indexing) raises."""
    method = small(
        {"emulate_processes": 2, "exclude_same_index": True, "inbatch_negatives": True, "flip_swap_landmarks": True}
    )
    batch = small_batch(method)
    method.to("meta")
    moved = {name: value.to("meta") for name, value in vars(batch).items() if isinstance(value, torch.Tensor)}
    batch = replace(batch, **moved)
    losses, _ = method.loss(batch)
    sum(losses.values()).backward()
    method.after_step(batch)
    method.after_epoch(1)


def test_what_an_interrupted_run_needs_is_in_its_state():
    method, copy = small(seed=1), small(seed=2)
    assert not torch.equal(method.expression_queue, copy.expression_queue)
    for seed in range(3):
        method.loss(small_batch(method, seed=seed))
        method.after_step(small_batch(method))
    assert method.pointer == 8 and not torch.equal(method.bank, copy.bank)
    copy.load_state_dict(method.state_dict())
    found, again = (m.loss(small_batch(m, seed=9))[0] for m in (method, copy))
    assert all(torch.equal(found[name], again[name]) for name in found)
    assert torch.equal(method.bank, copy.bank)


def test_queues_start_with_unit_columns_of_the_seed():
    queues = [small(seed=seed).landmark_queue for seed in (3, 3, 4)]
    assert torch.equal(queues[0], queues[1]) and not torch.equal(queues[0], queues[2])
    torch.testing.assert_close(queues[0].norm(dim=0), torch.ones(16))


def test_images_without_landmarks_leave_no_trace():
    method = small()
    batch = small_batch(method)
    batch.usable[:3] = False
    without = replace(batch, landmarks=batch.landmarks.clone())
    without.landmarks[:3] = float("nan")
    term = method.loss(batch)[0]["landmark"]
    losses, _ = method.loss(without)
    torch.testing.assert_close(losses["landmark"], term)
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in learning(method))
    nobody = replace(without, landmarks=torch.full_like(batch.landmarks, float("nan")), usable=torch.zeros(8).bool())
    assert method.loss(nobody)[0]["landmark"] == 0


def test_mirrored_images_may_exchange_left_and_right_landmarks():
    plain, swap = small(), small({"flip_swap_landmarks": True})
    batch = small_batch(plain)
    assert plain.loss(batch)[0]["landmark"] == swap.loss(batch)[0]["landmark"]
    batch.flipped[:] = True
    mirrored = replace(
        batch, landmarks=batch.landmarks[:, [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 14, 13, 12, 17, 16, 15, 18]]
    )
    torch.testing.assert_close(swap.loss(batch)[0]["landmark"], plain.loss(mirrored)[0]["landmark"])
    assert swap.loss(batch)[0]["landmark"] != plain.loss(batch)[0]["landmark"]


def test_the_key_encoder_may_see_another_view():
    recipe, two_views = LANet.recipe, LANet.Parameters(two_views=True)
    assert LANet.adapt(recipe, LANet.Parameters(), True).augment.second_view is None
    assert LANet.adapt(recipe, two_views, True).augment.second_view == "fresh"
    one, two = small(), small({"two_views": True})
    batch = small_batch(one)
    losses = [method.loss(batch)[0] for method in (one, two)]
    assert losses[0]["distribution"] == losses[1]["distribution"]
    assert losses[0]["contrastive"] != losses[1]["contrastive"]
    same = replace(batch, second=batch.images)
    assert small({"two_views": True}).loss(same)[0]["contrastive"] == losses[0]["contrastive"]


def test_repetitions_of_an_image_may_be_kept_from_being_neighbours():
    index = (0, 1, 2, 3, 4, 5, 6, 0)
    seen = {}
    for excluded in (False, True):
        method = small({"exclude_same_index": excluded, "neighbours": 1})
        batch = small_batch(method, index)
        batch.images[7] = batch.images[0]
        method.loss(batch)
        seen[excluded] = method.bank[0]
    assert not torch.equal(seen[False], seen[True])


def test_gradient_may_be_kept_from_the_targets():
    for detached in (False, True):
        method = small({"detach_targets": detached, "contrastive_weight": 0.0})
        sum(method.loss(small_batch(method))[0].values()).backward()
        assert all((p.grad is None) == detached for p in method.scores.parameters())


def test_without_its_losses_it_is_cross_entropy_with_its_sampler():
    method = small({"landmark_weight": 0.0, "distribution_weight": 0.0, "contrastive_weight": 0.0})
    names = {name.split(".")[0] for name in method.state_dict()}
    assert names == {"labels", "backbone", "classifier"}
    batch = small_batch(method)
    losses, logits = method.loss(batch)
    torch.testing.assert_close(losses["ce"], F.cross_entropy(logits, batch.labels))
    assert list(losses) == ["ce"] and method.after_epoch(1) == {}
    method.after_step(batch)
    distribution, _ = method.opinion(batch)
    torch.testing.assert_close(distribution.sum(1), torch.ones(8))
    assert torch.equal(method.order(1, torch.Generator()), small().order(1, torch.Generator()))


@pytest.mark.parametrize("weight", ["landmark_weight", "distribution_weight", "contrastive_weight"])
def test_each_loss_can_be_left_out(weight):
    method = small({weight: 0.0})
    losses, _ = method.loss(small_batch(method))
    assert len(losses) == 3 and weight.removesuffix("_weight") not in losses
    sum(losses.values()).backward()


def test_order_of_an_epoch():
    labels = torch.tensor([0] * 18 + [1] * 6)

    def order(epoch, stream=0, **parameters):
        return small(parameters, labels=labels, classes=2).order(epoch, torch.Generator().manual_seed(stream))

    assert torch.equal(order(2, stream=0), order(2, stream=1)), "published: the same draws for every seed"
    assert not torch.equal(order(2, stream=0, sampler_seed="job"), order(2, stream=1, sampler_seed="job"))
    assert (order(3) >= 18).sum() > (order(1) >= 18).sum() == 6
    assert sorted(order(3, sampler="uniform")) == list(range(24))
    assert sorted(order(2, emulate_processes=2)) == sorted(order(2))


def test_facts_of_an_epoch_and_the_opinion():
    method = small({"confidence": 0.95})
    batch = small_batch(method)
    method.loss(batch)
    facts = {name: float(value) for name, value in method.after_epoch(1).items()}
    distribution, wrongness = method.opinion(batch)
    assert facts["ambiguous"] == (distribution.max(1).values < 0.95).float().mean() > 0
    assert 0 <= facts["neighbours_agree_expression"] <= 1 and 0 <= facts["neighbours_agree_landmark"] <= 1
    torch.testing.assert_close(distribution.sum(1), torch.ones(8))
    torch.testing.assert_close(wrongness, 1 - distribution[torch.arange(8), batch.labels])
    assert float(method.after_epoch(2)["ambiguous"]) == 0, "each epoch is counted anew"


def test_evaluation_uses_the_expression_branch_alone():
    method = small()
    names = [name for name, _ in method.named_parameters() if name.split(".")[0] not in ("backbone", "classifier")]
    for name in names:
        method.get_parameter(name).data.fill_(float("nan"))
    assert method.eval().logits(small_batch(method).images).isfinite().all()


@pytest.mark.parametrize(
    "parameters, facts, message",
    [
        ({"queue": 20}, {}, r"queue of 20 .* --set lanet.queue=16"),
        ({"neighbours": 8}, {}, r"8 neighbours need batches of at least 9 images, not 8"),
        ({}, {"images": 25, "steps_per_epoch": 4}, r"at least 4 images, not 1; use --set recipe.drop_last=true"),
        ({"sampler": "even"}, {}, r"lanet.sampler: 'even' is none of balanced, uniform"),
        ({"emulate_processes": 3}, {}, r"lanet.emulate_processes: 3"),
    ],
)
def test_impossible_settings_are_refused(parameters, facts, message):
    with pytest.raises(ValueError, match=message):
        small(parameters, **facts)


def test_a_crooked_pyramid_is_refused():
    with pytest.raises(ValueError, match=r"image size 100: .* multiple of 32 pixels"):
        make({"queue": 16, "neighbours": 3}, side=100)
