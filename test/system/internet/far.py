"""A cable between two network namespaces that is long, and loses frames: far.py NAMESPACE DEVICE NAMESPACE DEVICE MS LOSS SEED

The kernel's own way (netem) is not in every kernel; two TAP devices are. Each end is made in its namespace; what goes in at one
end comes out at the other after MS, each frame with the same chance LOSS of being lost. Says `ready`, and ends with SIGTERM.
"""

import collections
import ctypes
import fcntl
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000
CLONE_NEWNET = 0x40000000

# a frame of Ethernet, with room to spare
FRAME = 2048


def end_of(namespace, device):
    """The frames that leave through a new device there are read from it, and those written to it arrive."""
    place = os.open(f"/var/run/netns/{namespace}", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(place, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    os.close(place)
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TAP | IFF_NO_PI))
    return tap


def main(one, one_device, other, other_device, ms, loss, seed):
    ends = [end_of(one, one_device), end_of(other, other_device)]
    under_way = {end: collections.deque() for end in ends}
    delay, chance, dice = float(ms) / 1000, float(loss), random.Random(int(seed))
    print("ready", flush=True)
    while True:
        due = min((frames[0][0] for frames in under_way.values() if frames), default=None)
        wait = None if due is None else max(0.0, due - time.monotonic())
        for end in select.select(ends, [], [], wait)[0]:
            frame = os.read(end, FRAME)
            if dice.random() >= chance:
                under_way[end].append((time.monotonic() + delay, frame))
        now = time.monotonic()
        for end, out in zip(ends, reversed(ends)):
            frames = under_way[end]
            while frames and frames[0][0] <= now:
                arrive(out, frames.popleft()[1])


def arrive(end, frame):
    try:
        os.write(end, frame)
    except OSError:
        # the device is down, or takes no more: lost, as on any cable
        pass


main(*sys.argv[1:])
