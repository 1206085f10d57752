"""What is measured, in the order of its worth, and how long each may take; all of it ends within ten minutes."""

from performance.gpu.about import describe_gpu
from performance.gpu.course import Item
from performance.gpu.graphs import compare_graphs
from performance.gpu.same_bits import compare_jobs
from performance.gpu.speed import measure_speed
from performance.gpu.training import train_small

SECONDS = 570.0  # in all, the drawing of faces included
ITEMS = [
    Item(1, "The GPU, the augmentation on it, the CUDA tests", describe_gpu, 60),
    Item(2, "Jobs twice, one killed and resumed: the same bits?", compare_jobs, 90),
    Item(3, "Images/s of the engine's epochs", measure_speed, 150),
    Item(4, "Epochs in CUDA graphs and without: the same bits?", compare_graphs, 60, needs_gpu=True),
    Item(5, "Training at small scale", train_small, SECONDS),
]
