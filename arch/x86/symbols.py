# SPDX-License-Identifier: MIT
"""Makes the assembler source of the kernel's symbol table out of the kernel's first link.

usage: symbols.py NM OBJDUMP KERNEL.elf > symbols.asm

Run by Meson between the kernel's two links; symbols.h describes the result. Besides the names
it counts the heap's code: what its public functions reach by calls and jumps within the heap's
part of the kernel. What only inspects a heap, or stands in the strategy's table but was built
into its callers, is in the kernel too, but serves no request and is not counted.
"""

import re
import subprocess
import sys

PUBLIC_FUNCTIONS = ("kinitHeap", "kmalloc", "kfree", "kcalloc", "krealloc", "kmalloc_aligned",
                    "ksize")

# "  100a1c:	e8 1f f6 ff ff	call   100040 <byte_map_free>", and jumps out of the function.
BRANCH = re.compile(r"\t(?:call|j[a-z]+)\s+[0-9a-f]+ <([A-Za-z_][A-Za-z0-9_]*)>")


def output_of(*command: str) -> list[str]:
    """Returns the lines a command prints; raises if it fails."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def functions(nm: str, kernel: str) -> list[tuple[int, str]]:
    """Returns address and name of every function, sorted; local assembler labels left out."""
    found: dict[int, str] = {}
    for line in output_of(nm, "--defined-only", kernel):
        address, kind, name = line.split()
        if kind in "tT" and "." not in name and not name.startswith("_"):
            found.setdefault(int(address, 16), name)
    return sorted(found.items())


def heap_functions(nm: str, kernel: str) -> dict[str, int]:
    """Returns the size of every function in the heap's part of the kernel."""
    lines = [line.split() for line in output_of(nm, "--defined-only", "--print-size", kernel)]
    at = {words[-1]: int(words[0], 16) for words in lines}
    return {words[3]: int(words[1], 16) for words in lines if len(words) == 4
            and at["_heap_text_start"] <= int(words[0], 16) < at["_heap_text_end"]}


def branches(objdump: str, kernel: str) -> dict[str, set[str]]:
    """Returns, for every function, the functions that it calls or jumps to."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in output_of(objdump, "--disassemble", "--no-show-raw-insn", kernel):
        label = re.match(r"[0-9a-f]+ <(.*)>:$", line)
        if label:
            name = label[1]
        found.setdefault(name, set()).update(BRANCH.findall(line))
    return found


def heap_text_bytes(nm: str, objdump: str, kernel: str) -> int:
    """Returns the size of all that the heap's public functions reach within the heap."""
    sizes = heap_functions(nm, kernel)
    reached: set[str] = set()
    waiting = [name for name in PUBLIC_FUNCTIONS if name in sizes]
    calls = branches(objdump, kernel)
    while waiting:
        name = waiting.pop()
        if name in sizes and name not in reached:
            reached.add(name)
            waiting += calls[name]
    return sum(sizes[name] for name in reached)


def main() -> None:
    nm, objdump, kernel = sys.argv[1:]
    symbols = functions(nm, kernel)
    print("; made by symbols.py")
    print("global symbol_table, symbol_count, heap_text_bytes")
    print("section .symbols progbits alloc noexec nowrite align=4")
    print("heap_text_bytes: dd", heap_text_bytes(nm, objdump, kernel))
    print("symbol_count: dd", len(symbols))
    print("symbol_table:")
    for index, (address, _) in enumerate(symbols):
        print(f"    dd {address:#x}, name{index}")
    for index, (_, name) in enumerate(symbols):
        print(f'name{index}: db "{name}", 0')
    print("section .note.GNU-stack noalloc noexec nowrite progbits")


if __name__ == "__main__":
    main()
