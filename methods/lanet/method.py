"""LA-Net: landmark-aware learning from noisy expression labels.

Wu and Cui, "LA-Net: Landmark-Aware Learning for Reliable Facial Expression Recognition under Label Noise", ICCV 2023.
A landmark branch beside the expression branch says which faces look alike. Two ideas use it: label-distribution
estimation replaces a hard label by what neighbours in both spaces predict, smoothed over epochs in a bank D; the
expression-landmark contrastive loss pulls together what the estimated distribution calls one expression, across both
spaces, against a queue of earlier images. `docs/methods/lanet.md` has the equations and every surprise of the program.
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.base import (
    Adam,
    Augment,
    Backbone,
    Batch,
    Choice,
    Curve,
    LinearToZero,
    LogUniform,
    Method,
    Recipe,
    Run,
    Uniform,
    scaled,
    settings_chosen,
    within,
)
from methods.lanet.losses import contrastive_loss, distribution_loss, landmark_loss
from methods.lanet.order import progressive_order, side_by_side
from methods.lanet.parts import (
    LandmarkBranch,
    PairScore,
    Projection,
    aggregate_predictions,
    enqueue_rows,
    find_neighbours,
    label_distribution,
    pseudo_labels,
    update_bank,
)
from methods.lanet.targets import brush_for, landmark_targets

POINTS = 19
MIRRORED = (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 14, 13, 12, 17, 16, 15, 18)
NO_LABEL = -1e10  # of queue entries that no image has filled yet


class LANet(Method):
    name = "lanet"
    title = "LA-Net"
    source = "Wu and Cui, LA-Net: Landmark-Aware Learning for Reliable Facial Expression Recognition, ICCV 2023"
    needs_landmarks = True
    backbone_needs = "pyramid"
    mechanism = (
        Curve("ambiguous", "Images called ambiguous (%)", (0.95, 1), "its contrastive loss had no classes"),
        Curve("estimate_keeps_clean", "Images whose clean label is first in the label bank (%)"),
    )
    recipe = Recipe(
        epochs=80,
        batch_size=128,
        optimiser=Adam(1e-3),
        schedule=LinearToZero(),
        drop_last=True,
        augment=Augment(
            flip=0.5,
            crop=(0.75, 1.0),
            jitter=0.4,
            erase=0.2,
            erase_area=(0.02, 0.20),
            resize="bicubic",
            mean=(0.5412, 0.4324, 0.3795),
            std=(0.2485, 0.2182, 0.2066),
        ),
    )

    search = {
        "confidence": Uniform(0.25, 0.9),
        "contrastive_weight": LogUniform(0.03, 1),
        "landmark_weight": LogUniform(0.1, 3),
        "label_momentum": Uniform(0.5, 0.98),
        "sampler": Choice(("uniform", "balanced")),
    }
    demo = settings_chosen(
        {"confidence": 0.733, "contrastive_weight": 0.719, "landmark_weight": 0.231, "label_momentum": 0.811}
    )

    @dataclass(frozen=True)
    class Parameters:
        """Symbols are the paper's; the switches at the end turn a habit of the published program into the other one."""

        confidence: float = 0.7  # delta, below it an image is ambiguous
        temperature: float = 0.1  # tau
        label_momentum: float = scaled(0.9, "per epoch")  # omega, of the bank D
        key_momentum: float = scaled(0.999, "per step")  # m, of the key encoder
        landmark_weight: float = 1.0  # alpha
        distribution_weight: float = 1.0
        contrastive_weight: float = 0.1  # beta
        neighbours: int = 8  # K
        queue: int = scaled(8192, "queue")  # M, images; a multiple of the batch size
        sampler: str = "balanced"  # or 'uniform'
        sampler_seed: str = "epoch"  # or 'job': its draws differ from seed to seed
        flip_swap_landmarks: bool = False  # exchange left and right landmarks of mirrored images
        exact_heatmap: bool = False  # no truncation of landmarks, symmetric brush
        two_views: bool = False  # the key encoder sees another augmentation of the images
        ambiguous_offset: bool = False  # image 0 gets an ambiguous label of its own
        exclude_same_index: bool = False  # repetitions of an image are no neighbours
        detach_targets: bool = False  # no gradient through the estimated distribution
        inbatch_negatives: bool = False  # images of the batch count as negatives
        emulate_processes: int = 1  # 2: pairs and gradients as in two processes of half the batch

        def __post_init__(self) -> None:
            for name in ("confidence", "label_momentum", "key_momentum"):
                within(f"lanet.{name}", getattr(self, name), 0, 1)
            for name in ("landmark_weight", "distribution_weight", "contrastive_weight"):
                within(f"lanet.{name}", getattr(self, name), 0)
            within("lanet.temperature", self.temperature, 1e-3)
            within("lanet.neighbours", self.neighbours, 1)
            within("lanet.queue", self.queue, 1, 10_000_000)
            for name, allowed_values in (("sampler", ("balanced", "uniform")), ("sampler_seed", ("epoch", "job"))):
                if getattr(self, name) not in allowed_values:
                    raise ValueError(f"lanet.{name}: {getattr(self, name)!r} is none of {', '.join(allowed_values)}")
            if self.emulate_processes not in (1, 2):
                raise ValueError(f"lanet.emulate_processes: {self.emulate_processes} is neither 1 nor 2")

    @classmethod
    def adapt(cls, recipe: Recipe, parameters: Any, noisy: bool) -> Recipe:
        second_view = "fresh" if parameters.two_views and parameters.contrastive_weight else None
        return replace(recipe, augment=replace(recipe.augment, second_view=second_view))

    def build(self, backbone: Backbone, classes: int) -> None:
        p = self.settings
        width = backbone.width
        landmark_width = backbone.widths[0]
        self.estimates = bool(p.distribution_weight or p.contrastive_weight)
        self.backbone = backbone
        self.classifier = nn.Linear(width, classes)
        self.landmark = LandmarkBranch(backbone) if p.landmark_weight or self.estimates else None
        if p.landmark_weight:
            self.heat_maps = nn.Conv2d(landmark_width, POINTS, 1, bias=False)
            self.register_buffer("mirrored", torch.tensor(MIRRORED), persistent=False)
        if self.estimates:
            self.scores = nn.ModuleDict({"expression": PairScore(width), "landmark": PairScore(landmark_width)})
        if p.contrastive_weight:
            self.project = nn.ModuleDict(
                {
                    "expression": Projection(width, landmark_width),
                    "landmark": Projection(landmark_width, landmark_width),
                }
            )

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        p = self.settings
        self.check(run)
        self.run = run
        self.brush = brush_for(run.image_size // self.backbone.strides[0])
        given_labels = labels.cpu().numpy()
        self.rows_by_class = [np.flatnonzero(given_labels == c) for c in range(run.classes)]
        if self.estimates:
            bank = F.one_hot(labels, run.classes).to(self.classifier.weight.dtype)
            self.register_buffer("bank", bank)
            self.register_buffer("tally", torch.zeros(4, device=labels.device))
        if p.contrastive_weight:
            self.key = self.key_encoder()
            self.register_queues(run.seed, labels.device)

    def check(self, run: Run) -> None:
        """Refuse what the method cannot be: a queue in parts of a batch, too few neighbours, a crooked pyramid."""
        p = self.settings
        batch_size = run.batch_size
        coarsest_stride = self.backbone.strides[-1]
        last_batch = run.images - (run.steps_per_epoch - 1) * batch_size  # it may be incomplete
        smallest_batch = min(batch_size, last_batch)
        if p.contrastive_weight and p.queue % batch_size:
            nearest_queue = max(1, round(p.queue / batch_size)) * batch_size
            raise ValueError(
                f"lanet: the queue of {p.queue} is no multiple of the batch size {batch_size}; "
                f"use --set lanet.queue={nearest_queue}"
            )
        if self.estimates and smallest_batch <= p.neighbours:
            raise ValueError(
                f"lanet: {p.neighbours} neighbours need batches of at least {p.neighbours + 1} images, not {smallest_batch}; "
                f"use --set recipe.drop_last=true, another recipe.batch_size or fewer lanet.neighbours"
            )
        if smallest_batch % p.emulate_processes:
            raise ValueError(
                f"lanet.emulate_processes={p.emulate_processes} does not divide a batch of {smallest_batch} images"
            )
        if self.landmark and run.image_size % coarsest_stride:
            raise ValueError(
                f"lanet: image size {run.image_size}: the landmark pyramid doubles exactly from stage to stage, "
                f"which needs a multiple of {coarsest_stride} pixels"
            )

    def key_encoder(self) -> nn.ModuleList:
        """Copy of everything that the projections need, without gradient.

        It always normalises with the statistics of its batch, so it keeps no running ones.
        """
        key = deepcopy(self.query_encoder()).requires_grad_(False)
        for module in key.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.track_running_stats = False
                module.running_mean = module.running_var = module.num_batches_tracked = None
        return key

    def query_encoder(self) -> nn.ModuleList:
        return nn.ModuleList([self.backbone, self.landmark, self.project])

    def register_queues(self, seed: int, device: torch.device) -> None:
        """Queues of random unit columns, drawn on the CPU so that they are the same on every device."""
        queue_size = self.settings.queue
        feature_width = self.backbone.widths[0]
        dtype = self.classifier.weight.dtype
        state = np.random.SeedSequence([seed, *b"lanet queue"]).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state[0]))
        for name in ("expression_queue", "landmark_queue"):
            columns = F.normalize(torch.randn(feature_width, queue_size, generator=generator), dim=0)
            self.register_buffer(name, columns.to(device, dtype))
        self.register_buffer("queue_labels", torch.full((queue_size,), NO_LABEL, device=device, dtype=dtype))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64, device=device))

    def order(self, epoch: int, generator: torch.Generator) -> Tensor:
        p = self.settings
        if p.sampler == "uniform":
            order = super().order(epoch, generator)
        else:
            seed = epoch - 1
            if p.sampler_seed == "job":
                seed = int(torch.randint(2**31, (), generator=generator))
            order = progressive_order(self.rows_by_class, epoch - 1, self.run.epochs, seed)
        return side_by_side(order, self.run.batch_size, p.emulate_processes) if p.emulate_processes > 1 else order

    def logits(self, images: Tensor) -> Tensor:
        return self.classifier(self.backbone(images).to(self.classifier.weight.dtype))

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        p = self.settings
        expression, maps = self.encode(self.backbone, self.landmark, batch.images)
        logits = self.classifier(expression)
        losses = {"ce": F.cross_entropy(logits, batch.labels)}
        if p.landmark_weight:
            losses["landmark"] = p.landmark_weight * self.landmark_term(maps, batch)
        if self.estimates:
            landmark = self.landmark.feature(maps)
            targets = self.estimate(expression, landmark, logits.softmax(1), batch)
            update_bank(self.bank, batch.index, targets)
        if p.distribution_weight:
            loss_targets = targets.detach() if p.detach_targets else targets
            losses["distribution"] = p.distribution_weight * distribution_loss(loss_targets, logits)
        if p.contrastive_weight:
            losses["contrastive"] = p.contrastive_weight * self.contrast(expression, landmark, targets, batch)
        return losses, logits

    def encode(
        self, backbone: Backbone, landmark: LandmarkBranch | None, images: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """Expression feature u [B, d] and the landmark branch's maps h_1 .. h_4; both share the stem and stage 1."""
        with backbone.autocast():
            shared_maps = backbone.layer1(backbone.stem(images))
            top_maps = backbone.layer4(backbone.layer3(backbone.layer2(shared_maps)))
            maps = landmark.maps(shared_maps) if landmark else []
        return backbone.pooled(top_maps, self.classifier.weight.dtype), maps

    def landmark_term(self, maps: list[Tensor], batch: Batch) -> Tensor:
        """L_lm: the predicted heat maps against those painted from the landmarks of the images that have some."""
        points = batch.landmarks
        if self.settings.flip_swap_landmarks:
            points = torch.where(batch.flipped[:, None, None], points[:, self.mirrored], points)
        points = torch.where(batch.usable[:, None, None], points, 0.0)
        prediction = self.landmark.heat_maps(maps, self.heat_maps)
        target, weight = landmark_targets(
            points, batch.images.shape[-1], prediction.shape[-1], self.brush, self.settings.exact_heatmap
        )
        return landmark_loss(prediction, target.to(prediction.dtype), weight, batch.usable)

    def estimate(self, expression: Tensor, landmark: Tensor, predictions: Tensor, batch: Batch) -> Tensor:
        """Label-distribution estimation: t [B, C] from the bank and the neighbours in both spaces, with gradient."""
        p = self.settings
        index = batch.index
        excluded = torch.eye(len(index), dtype=torch.bool, device=index.device)
        if p.exclude_same_index:
            excluded = index[:, None] == index
        near_expression = find_neighbours(expression, p.neighbours, excluded)
        near_landmark = find_neighbours(landmark, p.neighbours, excluded)
        target_parts = []
        process_images = len(index) // p.emulate_processes
        for own_rows in (slice(r * process_images, (r + 1) * process_images) for r in range(p.emulate_processes)):
            u, v, soft = (own_gradient(x, own_rows) for x in (expression, landmark, predictions))
            from_expression = aggregate_predictions(
                self.scores["expression"](u, near_expression), near_expression, soft
            )
            from_landmark = aggregate_predictions(self.scores["landmark"](v, near_landmark), near_landmark, soft)
            targets = label_distribution(self.bank[index], from_expression, from_landmark, p.label_momentum)
            target_parts.append(targets[own_rows])
        targets = torch.cat(target_parts)
        self.watch(targets, near_expression, near_landmark, batch.labels)
        return targets

    def contrast(self, expression: Tensor, landmark: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """L_cl in both directions, against the queues before they receive this batch."""
        p = self.settings
        image_count = len(batch.index)
        query_expression = self.project["expression"](expression)
        query_landmark = self.project["landmark"](landmark)
        key_expression, key_landmark = self.keys(batch.second if p.two_views else batch.images)
        labels = pseudo_labels(targets, batch.index, p.confidence, int(p.ambiguous_offset))
        image_process = torch.arange(image_count, device=labels.device) // (image_count // p.emulate_processes)
        shared_arguments = (labels, self.queue_labels, p.temperature, image_process, p.inbatch_negatives)
        self.pending = key_expression, key_landmark, labels
        one_direction = contrastive_loss(query_expression, key_landmark, self.landmark_queue, *shared_arguments)
        other_direction = contrastive_loss(query_landmark, key_expression, self.expression_queue, *shared_arguments)
        return one_direction + other_direction

    @torch.no_grad()
    def keys(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Unit key features of both spaces, after theta_k <- m theta_k + (1 - m) theta_q."""
        queries = list(self.query_encoder().parameters())
        torch._foreach_lerp_(list(self.key.parameters()), queries, 1 - self.settings.key_momentum)
        backbone, landmark, project = self.key
        expression, maps = self.encode(backbone, landmark, images)
        return project["expression"](expression), project["landmark"](landmark.feature(maps))

    @torch.no_grad()
    def after_step(self, batch: Batch) -> None:
        """The keys of this batch and their pseudo labels replace the oldest in the queues."""
        if self.settings.contrastive_weight:
            for queue, rows in zip((self.expression_queue, self.landmark_queue, self.queue_labels), self.pending):
                enqueue_rows(queue, rows, self.pointer)
            self.pointer.add_(len(batch.index)).remainder_(self.settings.queue)

    @torch.no_grad()
    def watch(self, targets: Tensor, near_expression: Tensor, near_landmark: Tensor, labels: Tensor) -> None:
        """Count on the device: ambiguous images, neighbours with the same given label, images."""
        agreeing_neighbours = [
            (labels[near_rows] == labels[:, None]).float().mean(1).sum()
            for near_rows in (near_expression, near_landmark)
        ]
        ambiguous_count = (targets.amax(1) < self.settings.confidence).sum()
        self.tally += torch.stack([ambiguous_count, *agreeing_neighbours, torch.ones_like(labels).sum()])

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        """Shares of the epoch: ambiguous images, and neighbours of one given label in both spaces."""
        if not self.estimates:
            return {}
        names = ("ambiguous", "neighbours_agree_expression", "neighbours_agree_landmark")
        values = dict(zip(names, self.tally[:3] / self.tally[3].clamp(min=1)))
        self.tally.zero_()
        return values

    def opinion_needs_images(self) -> bool:
        return not self.estimates

    def opinion(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The bank's distributions D; wrongness is 1 - D[y]. Nothing is computed."""
        if not self.estimates:
            return super().opinion(batch)
        distribution = self.bank[batch.index]
        return distribution, 1 - distribution.gather(1, batch.labels[:, None])[:, 0]


def own_gradient(rows: Tensor, own_rows: slice) -> Tensor:
    """The same rows, with gradient through those of one process only."""
    return torch.cat([rows[: own_rows.start].detach(), rows[own_rows], rows[own_rows.stop :].detach()])
