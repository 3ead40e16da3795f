# SPDX-License-Identifier: MIT
"""Makes the assembler source of the kernel's symbol table from what nm says of the first link.

usage: symbols.py NM KERNEL.elf > symbols.asm

Run by Meson between the kernel's two links; symbols.h describes the result.
"""

import subprocess
import sys


def functions(nm: str, kernel: str) -> list[tuple[int, str]]:
    """Returns address and name of every function, sorted; local assembler labels left out."""
    listing = subprocess.run(
        [nm, "--defined-only", kernel], check=True, capture_output=True, text=True
    ).stdout
    found: dict[int, str] = {}
    for line in listing.splitlines():
        address, kind, name = line.split()
        if kind in "tT" and "." not in name and not name.startswith("_"):
            found.setdefault(int(address, 16), name)
    return sorted(found.items())


def main() -> None:
    symbols = functions(sys.argv[1], sys.argv[2])
    print("; made by symbols.py")
    print("global symbol_table, symbol_count")
    print("section .symbols progbits alloc noexec nowrite align=4")
    print("symbol_count: dd", len(symbols))
    print("symbol_table:")
    for index, (address, _) in enumerate(symbols):
        print(f"    dd {address:#x}, name{index}")
    for index, (_, name) in enumerate(symbols):
        print(f'name{index}: db "{name}", 0')
    print("section .note.GNU-stack noalloc noexec nowrite progbits")


if __name__ == "__main__":
    main()
