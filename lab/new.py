# SPDX-License-Identifier: MIT
"""`heaplab new`: the file and the word that make a strategy."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2

from lab import ROOT, build, fuzz, heaps, results
from lab.errors import InputError, RunError
from lab.mutate import PARTS

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NAME_LENGTH_MAX = 24
_VARIANTS = {"bare", "irq", "sanitized", "stops", *heaps.LEVELS, *heaps.LOCKINGS}
"""What stands behind a heap's name, after a dash, in the names of programs that are made of it."""
_NO_HEAPS = {"all": "race", **{name: "fuzz" for name in fuzz.PARSERS},
             **{name: "mutate" for name in PARTS}}
"""What is no heap to a command that takes the names of heaps."""
_WORDS = re.compile(r"(option\('strategies'.*?choices: \[\n)(.*?)(\n +\],)", re.DOTALL)


def _checked(name: str, source: Path) -> Path:
    """The file a new strategy called `name` gets; InputError if it cannot be called so."""
    if not _NAME.fullmatch(name) or len(name) > _NAME_LENGTH_MAX:
        raise InputError(f"{name!r} is no name for a strategy: small letters, digits and single"
                         f" dashes between them, at most {_NAME_LENGTH_MAX}, a letter first")
    taken = {path.stem.replace("_", "-") for path in (source / "mm").iterdir()}
    if name in taken:
        raise InputError(f"{name!r} is taken: mm/ has a file of that name")
    if name in _NO_HEAPS:
        raise InputError(f"{name!r} is taken: 'heaplab {_NO_HEAPS[name]} {name}' is something else")
    if variants := _VARIANTS.intersection(name.split("-")[1:]):
        raise InputError(f"{name!r} is taken: programs of a heap that is built in another way are"
                         f" called so; any name without '-{min(variants)}' will do")
    if name in build.peers():
        raise InputError(f"{name!r} is taken: peers/ has an allocator of that name")
    return source / "mm" / f"{name}.c"


def _with_word(options: str, name: str) -> str:
    """The text of meson_options.txt with this among the strategies, once."""
    found = _WORDS.findall(options)
    if len(found) != 1:
        raise RunError("meson_options.txt: the option 'strategies' is not as it was; nothing was"
                       " written")
    if f"'{name}'" in found[0][1]:  # its file was removed
        return options
    return _WORDS.sub(rf"\g<1>\g<2>\n         '{name}',\g<3>", options)


def create(name: str, source: Path = ROOT) -> None:
    """Write `mm/<name>.c`, a working heap to start from, and add the word to the option.

    Raises InputError if there is such a strategy, or the name is none.
    """
    path = _checked(name, source)
    options = source / "meson_options.txt"
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_TEMPLATES),
                                     undefined=jinja2.StrictUndefined, autoescape=False,
                                     keep_trailing_newline=True)
    text = environment.get_template("strategy.c").render(
        name=name, identifier=name.replace("-", "_"))
    results.write_files({path: text, options: _with_word(options.read_text("utf-8"), name)})


def next_steps(name: str) -> str:
    """What to do with a new strategy."""
    return f"""mm/{name}.c is a working heap: first fit over blocks with headers. Make it yours:
  its opening comment says what each part is to tell; mm/heap_strategy.h is the contract.
meson_options.txt knows it: it is built, tested and compared like every other.

  ./heaplab grade {name}                                is it correct, and what is it worth?
  ./heaplab test --suite {name}                         its tests, one by one
  ./heaplab compare --strategies {name},bitmap,tlsf     how good is it?
  tests/{name}-cases.c                                  its own cases, if it needs some"""
