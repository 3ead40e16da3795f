# SPDX-License-Identifier: MIT
"""Linux's initial file system: the archive that its boot loader hands over.

Source: Documentation/driver-api/early-userspace/buffer-format.rst of Linux, "newc".
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, field

_ALIGNMENT = 4


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGNMENT)


@dataclass
class Archive:
    """Files, in the order in which they are added; directories are made as they are needed."""

    _parts: list[bytes] = field(default_factory=list)
    _directories: set[str] = field(default_factory=set)

    def add(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Add a file."""
        self.make_directory(name.rpartition("/")[0])
        self._put(name, content, stat.S_IFREG | mode)

    def make_directory(self, name: str) -> None:
        """Add a directory and those that it lies in, unless they are there."""
        if not name or name in self._directories:
            return
        self.make_directory(name.rpartition("/")[0])
        self._directories.add(name)
        self._put(name, b"", stat.S_IFDIR | 0o755)

    def add_console(self) -> None:
        """Add /dev/console, which the first program's messages go to."""
        self.make_directory("dev")
        self._put("dev/console", b"", stat.S_IFCHR | 0o600, device=(5, 1))

    def _put(self, name: str, content: bytes, mode: int, device: tuple[int, int] = (0, 0)) -> None:
        numbers = (len(self._parts) + 1, mode, 0, 0, 1, 0, len(content), 0, 0, *device,
                   len(name) + 1, 0)
        head = b"070701" + b"".join(f"{number:08x}".encode() for number in numbers)
        self._parts.append(_padded(head + name.encode() + b"\0") + _padded(content))

    def bytes(self) -> bytes:
        """The archive."""
        ending = Archive()
        ending._put("TRAILER!!!", b"", 0)
        return b"".join([*self._parts, *ending._parts])
