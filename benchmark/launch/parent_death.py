"""Nothing outlives its launcher: the kernel kills whose parent is gone, and a reaper what they had started.

A process that is stopped or hangs cannot notice a closed pipe, so the first means is the kernel's parent-death signal
(Linux). It kills one process and not its group: a reaper, which does nothing but wait for the end of the fork server, kills
the groups.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends; elsewhere than on Linux do nothing.

    A parent that was gone before notices nothing: who calls this looks for itself whether its parent is still there.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def start_reaper() -> int:
    """Fork a process that kills the groups it was told of when this one is gone; returns the descriptor to tell it on.

    It is told lines of a group's number, with a minus in front when the group has ended. For a process with one thread.
    """
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        try:
            os.setsid()
            os.closerange(0, read_end)
            os.closerange(read_end + 1, read_end + 256)
            kill_groups_at_end(read_end)
        finally:
            os._exit(0)
    os.close(read_end)
    return write_end


def report_group(reaper: int, group_id: int) -> None:
    """Tell the reaper of a group; one that is gone itself is no reason to stop."""
    try:
        os.write(reaper, b"%d\n" % group_id)
    except OSError:
        pass


def kill_groups_at_end(read_end: int) -> None:
    """Keep account of the groups until the other end is closed, then kill those that are left."""
    group_lines = b""
    while text_chunk := os.read(read_end, 4096):
        group_lines += text_chunk
    living_groups: dict[int, bool] = {}
    for number in map(int, group_lines.split()):
        living_groups[abs(number)] = number > 0
    for group_id, is_alive in living_groups.items():
        if is_alive:
            kill_group(group_id)


def kill_group(pid: int) -> None:
    """Kill a job and what it has started; one that has no group of its own yet is killed alone."""
    for kill_function in (os.killpg, os.kill):
        try:
            kill_function(pid, signal.SIGKILL)
            return
        except ProcessLookupError:
            continue
