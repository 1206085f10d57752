"""`python -m performance`: the benchmarks that run on a CPU, one after the other, in about two minutes."""

import sys

import torch

from performance import data, methods, steps


def main() -> None:
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, one thread unless said otherwise")
    sys.argv = [sys.argv[0]]
    for part in (data, methods, steps):
        part.main()


if __name__ == "__main__":
    main()
