# SPDX-License-Identifier: MIT
"""How much was asked for each block of a trace that the kernel replays: its player keeps a table
(kernel/player.h), and is found from the stack while it calls the heap."""

from __future__ import annotations

import struct
from typing import Any, Optional

import gdb

from lab.gdb import call as calls, kernel

_PLAYING = ("player_measure", "player_play")
"""Their first argument is the player."""
_IDS_MAX = 1 << 24


def by_address() -> dict[int, int]:
    """Bytes by the addresses of blocks; empty where no trace is replayed.

    A block that a call at work is handing out is not in it yet, and one that it takes back may be.
    """
    player = _player()
    if player is None:
        return {}
    try:
        count, table = int(player["trace"]["id_count"]), int(player["blocks"])
        if not 0 < count <= _IDS_MAX:
            return {}
        memory = kernel.read_memory(table, count * _entry_bytes())
    except (gdb.error, gdb.GdbError):
        return {}
    return {address: size for address, size in struct.iter_unpack("<II", memory) if address}


def _entry_bytes() -> int:
    return kernel.Layout("player_block").bytes


def _player() -> Optional[Any]:
    """struct player, if its functions are on this processor's stack."""
    base = calls.frame_pointer_of(_PLAYING)
    if base is None:
        return None
    kind = gdb.lookup_type("struct player").pointer()
    return gdb.Value(kernel.read_word(base + 8)).cast(kind)
