"""What is measured, in the order of its worth, and how long each may take; all of it ends within ten minutes."""

from performance.gpu.card import card
from performance.gpu.course import Item
from performance.gpu.graphs import graphs
from performance.gpu.kernels import kernels
from performance.gpu.plain import plain
from performance.gpu.real import real
from performance.gpu.same_bits import same_bits
from performance.gpu.speed import speed
from performance.gpu.together import together
from performance.gpu.waits import waits

SECONDS = 570.0  # in all, the drawing of faces included
ITEMS = [
    Item(1, "The card, its peaks, the augmentation on it, the CUDA tests", card, 60),
    Item(2, "Jobs through the nursery twice, one killed and resumed: the same bits?", same_bits, 90),
    Item(3, "Waits inside of steps", waits, 60, card=True),
    Item(4, "Launches, idle share and largest kernels", kernels, 100),
    Item(5, "Images/s of the engine's epochs", speed, 120),
    Item(6, "Graphs against eager: the same bits?", graphs, 60, card=True),
    Item(7, "Processes side by side on the card", together, 75),
    Item(8, "Against a plain program", plain, 75),
    Item(9, "Real data at small scale", real, SECONDS),
]
