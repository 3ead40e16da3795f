# SPDX-License-Identifier: MIT
"""How many instructions a function takes at most, read off its machine code.

A walk through a function's control flow is a path that never goes back, and cycles. Each cycle
ends with an edge back to the header of its loop and, once the cycles inside it are taken out,
is no longer than the longest way round that loop which goes back nowhere else. So a call takes
at most

    the longest path without edges back + for each loop, its turns * its longest way round

How often loops can turn is what the theory of a heap says (`cost_bounds`). Calls are followed:
a function is part of each of its callers. An instruction that repeats itself (`rep stos`) is
apart. Paths that end in a refusal or a panic are left out: no trace takes them. All this needs
loops that are entered at one place each, which is verified.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, Sequence

from lab.errors import RunError

_FUNCTION = re.compile(r"^[0-9a-f]+ <([^>+]+)>:$")
_LINE = re.compile(r"^ *([0-9a-f]+):\t(\S+) *(.*)$")
_TARGET = re.compile(r"^([0-9a-f]+) <([^>+]+)(\+0x[0-9a-f]+)?>")
_NEVER = ("heap_panic", "front_refuse", "plain_alloc_unready")
"""Where no call leads that a trace makes: to a wrong address, or before kinitHeap()."""
_DEEPEST = 8
_DEAD = -(10**9)

Node = tuple[str, int]
"""The call sites that led here, and the instruction's address."""
Edge = tuple[Node, Node]


@dataclass(frozen=True)
class Shape:
    """What a function's machine code takes, in instructions."""

    straight: int
    """The longest path without an edge back, its return included."""
    outer: int
    """The longest way round a loop that has another in it; 0 if there is none."""
    inner: int
    """The longest way round a loop that has none in it; 0 if there is none."""
    repeats: bool
    """Whether there is an instruction that repeats itself, a word at a time."""

    def at_most(self, turns: int, outer_turns: int = 0, words: int = 0) -> int:
        """What a call takes if loops turn so often in all, and those that have others in them
        so often of it, and so many words are copied or filled."""
        return (self.straight + self.inner * turns + self.outer * outer_turns
                + (words if self.repeats else 0))


@dataclass
class _Flow:
    """The control flow of a function and all that it calls."""

    after: dict[Node, list[Node]] = field(default_factory=dict)
    returns: set[Node] = field(default_factory=set)
    repeats: bool = False


class Program:
    """The functions of a kernel, as objdump lists them."""

    def __init__(self, listing: str) -> None:
        self._functions: dict[str, list[tuple[int, str, str]]] = {}
        name = ""
        for line in listing.splitlines():
            if head := _FUNCTION.match(line):
                name = head[1]
                self._functions[name] = []
            elif name and (found := _LINE.match(line)):
                self._functions[name].append((int(found[1], 16), found[2], found[3]))

    def shape(self, name: str) -> Shape:
        """What a call of this function takes.

        Raises RunError if its code cannot be followed.
        """
        flow = _Flow()
        entry = self._add(flow, name, "", None)
        return _shape(flow, entry)

    def _add(self, flow: _Flow, name: str, site: str, back: Optional[Sequence[Node]]) -> Node:
        """Add a function as it is called from `site`, to go on at `back`; None: it returns."""
        if name not in self._functions or site.count("/") > _DEEPEST:
            raise RunError(f"the code of {name}() is not there, or calls itself")
        code = self._functions[name]
        for place, (address, word, operands) in enumerate(code):
            node = (site, address)
            behind = [(site, code[place + 1][0])] if place + 1 < len(code) else []
            flow.repeats |= word.startswith("rep")
            if word.startswith("ret"):
                flow.after[node] = list(back or ())
                if back is None:
                    flow.returns.add(node)
            elif word == "call":
                flow.after[node] = self._enter(flow, name, node, operands, behind, True)
            elif word == "jmp":
                flow.after[node] = self._enter(flow, name, node, operands, back)
            elif word.startswith(("j", "loop")):
                flow.after[node] = behind + self._enter(flow, name, node, operands, back)
            else:
                flow.after[node] = [] if word in ("ud2", "hlt", "int3") else behind
        return (site, code[0][0])

    def _enter(self, flow: _Flow, name: str, node: Node, operands: str,
               back: Optional[Sequence[Node]], is_call: bool = False) -> list[Node]:
        """Where a call or a jump goes."""
        target = _TARGET.match(operands)
        if not target:
            raise RunError(f"{name}() calls through a pointer")
        if target[2] in _NEVER:
            return []
        site, address = node
        if target[2] == name and not is_call:
            return [(site, int(target[1], 16))]
        if target[2] == name or target[3]:
            raise RunError(f"{name}() calls itself, or jumps into the middle of {target[2]}()")
        return [self._add(flow, target[2], f"{site}/{address:x}", back)]


def program(kernel: Path) -> Program:
    """A kernel's code."""
    try:
        done = subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(kernel)], check=False,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise RunError(f"objdump cannot be started: {error.strerror}") from error
    if done.returncode:
        raise RunError(f"{kernel}: objdump failed", done.stderr.splitlines())
    return Program(done.stdout)


def _shape(flow: _Flow, entry: Node) -> Shape:
    order, backs = _depth_first(flow, entry)
    loops: dict[Node, set[Node]] = {}
    for node, header in backs:
        body = _body(flow, order, node, header)
        if entry in body and header != entry:
            raise RunError("a loop is entered at two places")
        loops.setdefault(header, set()).update(body)
    rounds = {header: _longest(flow, order, backs, {node for node, of in backs if of == header})
              [header] for header in loops}
    outer = {header for header, body in loops.items() if any(
        other != header and other in body for other in loops)}
    straight = _longest(flow, order, backs, flow.returns)[entry]
    return Shape(straight, max((rounds[one] for one in outer), default=0),
                 max((rounds[one] for one in rounds if one not in outer), default=0),
                 flow.repeats)


def _depth_first(flow: _Flow, entry: Node) -> tuple[list[Node], set[Edge]]:
    """The nodes, each before those it leads to but for edges back; and those edges."""
    order: list[Node] = []
    backs: set[Edge] = set()
    seen, unfinished = {entry}, {entry}
    stack = [(entry, iter(flow.after[entry]))]
    while stack:
        node, rest = stack[-1]
        following = next(rest, None)
        if following is None:
            stack.pop()
            unfinished.remove(node)
            order.append(node)
        elif following in unfinished:
            backs.add((node, following))
        elif following not in seen:
            seen.add(following)
            unfinished.add(following)
            stack.append((following, iter(flow.after[following])))
    return order[::-1], backs


def _body(flow: _Flow, order: Sequence[Node], node: Node, header: Node) -> set[Node]:
    """The natural loop of an edge back: what leads to its end without passing its header.

    It has the function's entry in it iff the loop can be entered elsewhere.
    """
    before: dict[Node, list[Node]] = {}
    for one in order:
        for following in flow.after[one]:
            before.setdefault(following, []).append(one)
    body, waiting = {header, node}, [node]
    while waiting:
        one = waiting.pop()
        for previous in before.get(one, ()) if one != header else ():
            if previous not in body:
                body.add(previous)
                waiting.append(previous)
    return body


def _longest(flow: _Flow, order: Sequence[Node], backs: set[Edge],
             ends: set[Node]) -> dict[Node, int]:
    """Instructions from each node to one of `ends`, both counted, at most; below 0: no way."""
    most: dict[Node, int] = {}
    for node in reversed(order):
        further = [most[one] for one in flow.after[node] if (node, one) not in backs]
        most[node] = 1 + max([*further, 0 if node in ends else _DEAD])
    return most
