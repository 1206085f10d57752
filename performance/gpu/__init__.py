"""What only a GPU can tell, in one command of under ten minutes: `python -m performance.gpu --out FOLDER`.

Five items in the order of their worth, each in a process of its own with a time limit, each written to FOLDER (gpu.json,
gpu.md) as it ends and, where it has several parts, as these end. An item that fails, runs out of memory or past its limit
leaves what it had and its failure, and the next one goes on. `--long` trains instead: at small scale, then at paper scale,
in calls that go on where the last one stopped. `--device cpu --rehearse` walks through all of it on tiny data.
"""
