# SPDX-License-Identifier: MIT
"""How things are said to people; also inside GDB, so that it needs nothing else."""


def plural(count: int, what: str, ending: str = "s") -> str:
    """A count of things: `1 hole`, `1,234 holes`; of what ends in another way, `2 searches`."""
    return f"{count:,} {what}{'' if count == 1 else ending}"
