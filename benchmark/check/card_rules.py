"""What a CUDA device refuses and what its host waits for, operation by operation (ATen names, torch 2.14)."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten

# The list in torch.use_deterministic_algorithms' own help of what raises on CUDA.
RAISES_WHERE_DETERMINISTIC = """
adaptive_max_pool2d_backward adaptive_max_pool3d_backward _adaptive_avg_pool2d_backward _adaptive_avg_pool3d_backward
avg_pool3d_backward fractional_max_pool2d_backward fractional_max_pool3d_backward max_unpool2d max_unpool3d
upsample_linear1d_backward upsample_bilinear2d_backward upsample_bicubic2d_backward upsample_trilinear3d_backward
_upsample_bilinear2d_aa_backward _upsample_bicubic2d_aa_backward reflection_pad1d_backward reflection_pad2d_backward
reflection_pad3d_backward nll_loss2d_forward nll_loss2d_backward _ctc_loss_backward put_ put histc
grid_sampler_2d_backward grid_sampler_3d_backward _histogramdd_from_bin_cts
"""
NO_DETERMINISTIC_FORM = frozenset(RAISES_WHERE_DETERMINISTIC.split())
READS_A_VALUE = frozenset({"_local_scalar_dense", "equal", "is_nonzero"})
SHAPE_FROM_VALUES = frozenset(
    {"nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "repeat_interleave"}
)
BY_INDEX = frozenset({"index", "index_put", "index_put_", "_unsafe_index", "_index_put_impl_"})
TAKES_A_HOST_SCALAR = frozenset({"where", "masked_fill", "masked_fill_", "index_put_", "fill_"})
MOVES = frozenset({aten._to_copy.default, aten.copy_.default, aten._foreach_copy_.default, aten.set_.source_Tensor})


def name_of(operation: Any) -> str:
    """'index_put_' of aten.index_put_.default."""
    return operation._schema.name.split("::")[1]


def index_tensors(operation: Any, args: Sequence[Any]) -> list[Tensor]:
    """The tensors that an indexing operation indexes by."""
    return [i for i in args[1] if i is not None] if name_of(operation) in BY_INDEX else []


def why_refused(operation: Any, args: Sequence[Any], on_host: list[Tensor], self_on_host: bool) -> str:
    """Why CUDA refuses an operation with at least one tensor on the card; '' where it does not.

    on_host: its tensors in main memory. self_on_host: its first argument is one of them.
    """
    name = name_of(operation)
    if torch.are_deterministic_algorithms_enabled():
        weighted_counts = name == "bincount" and len(args) > 1 and args[1] is not None
        with_index = operation in (aten.median.dim, aten.nanmedian.dim)
        is_product = name.startswith("scatter_reduce") and "prod" in args
        if name in NO_DETERMINISTIC_FORM or weighted_counts or with_index or is_product:
            return f"{name} has no deterministic form on CUDA"
    if operation in MOVES:
        return ""
    index_tensors_used = index_tensors(operation, args)
    if index_tensors_used and self_on_host:
        return f"{name}: a tensor in main memory is indexed by one on the card"
    scalars = torch.Tag.pointwise in operation.tags or name in TAKES_A_HOST_SCALAR
    misplaced_tensors = [t for t in on_host if not any(t is i for i in index_tensors_used) and (t.dim() or not scalars)]
    if not misplaced_tensors:
        return ""
    return f"{name}: tensors on cuda:0 and in main memory, of shape {tuple(misplaced_tensors[0].shape)}"


def find_waits(operation: Any, args: Sequence[Any], on_host: list[Tensor]) -> Iterator[tuple[str, str]]:
    """(kind, what) of everything in an operation on the card that the host would wait for."""
    name = name_of(operation)
    if name in READS_A_VALUE:
        yield "read", name
    if name in SHAPE_FROM_VALUES:
        yield "shape", name
    by = index_tensors(operation, args)
    if any(i.dtype in (torch.bool, torch.uint8) for i in by):
        yield "shape", f"{name} by a mask"
    if any(i is t for i in by for t in on_host):
        yield "upload", f"{name} by an index in main memory"
