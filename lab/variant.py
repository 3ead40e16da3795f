# SPDX-License-Identifier: MIT
"""Programs of a build directory, made again with one source file changed.

What compiles and links a program is what Ninja says does; only objects that read the changed file
are compiled anew, out of a copy of the source tree in which all other files are links. The
program is the project's own but for that file, then, and a fraction of a second away.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Iterator, Sequence

from lab import ROOT, build, process
from lab.errors import RunError

CODE = ("arch", "kernel", "mm", "tests")
"""The directories of the source tree that programs of tests are made of."""

_WITH_VALUE = ("-MQ", "-MF", "-MT", "-o")
_DROPPED = ("-MD", "-g", "-Werror", "-O2", "-fdiagnostics-color=always")
_DEPENDS = re.compile(r"(\S+): #deps \d+")


class Recipes:
    """How the programs of a build directory come about."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self._commands: dict[str, list[str]] = {}
        self._archives: dict[str, list[str]] = {}
        for command in map(shlex.split, self._ninja("commands")):
            self._learn(command)
        self._reads = self._dependencies()

    def _ninja(self, tool: str) -> list[str]:
        ninja = shutil.which("ninja") or "ninja"
        try:
            done = subprocess.run([ninja, "-t", tool], cwd=self.directory, capture_output=True,
                                  text=True, errors="replace", check=False)
        except OSError as error:
            raise RunError(f"{ninja} cannot be started: {error.strerror}") from error
        if done.returncode:
            raise RunError(f"ninja -t {tool} failed in {self.directory}",
                           (done.stdout + done.stderr).splitlines())
        return done.stdout.splitlines()

    def _learn(self, command: list[str]) -> None:
        if "-o" in command:
            self._commands[command[command.index("-o") + 1]] = command
        elif any(word.endswith("ar") for word in command):
            library = next(word for word in command if word.endswith(".a"))
            self._archives[library] = [word for word in command if word.endswith(".o")]

    def _dependencies(self) -> dict[str, set[str]]:
        reads: dict[str, set[str]] = {}
        files: set[str] = set()
        for line in self._ninja("deps"):
            if match := _DEPENDS.match(line):
                files = reads.setdefault(match[1], set())
            elif line.startswith(" "):
                files.add(os.path.normpath(self.directory / line.strip()))
        return reads

    def command(self, output: str) -> list[str]:
        """What compiles an object or links a program. Raises RunError if nothing does."""
        if output not in self._commands:
            raise RunError(f"{self.directory} makes no {output}; is it configured, and built?")
        return self._commands[output]

    def objects(self, program: str) -> Iterator[str]:
        """Every object that is, or can be, linked into a program."""
        for word in self.command(program):
            if word.endswith(".o"):
                yield word
            yield from self._archives.get(word, ())

    def source(self, compiled: str) -> Path:
        """The file that an object is compiled from."""
        return Path(os.path.normpath(self.directory / self.command(compiled)[-1]))

    def reads(self, compiled: str, path: Path) -> bool:
        """Whether an object is made from a file, be it by inclusion."""
        return str(path) in self._reads.get(compiled, ())


def _link_files(source: Path, place: Path) -> None:
    """Make a directory like another. No folder is a link: from there, ".." would lead back."""
    place.mkdir(parents=True)
    for entry in source.iterdir():
        if entry.is_dir():
            _link_files(entry, place / entry.name)
        else:
            (place / entry.name).symlink_to(entry)


class Tree:
    """A source tree like the project's, of links but for one file; for one strategy's programs."""

    def __init__(self, recipes: Recipes, place: Path, changed: str, strategy: str,
                 strategies: Sequence[str]) -> None:
        self.place = place
        self._recipes = recipes
        self._changed = changed
        self._others = set(strategies) - {strategy}
        for name in CODE:
            _link_files(ROOT / name, place / name)
        self._file = place / changed
        if not self._file.is_symlink():
            raise RunError(f"there is no {changed} in the source tree")
        self._file.unlink()

    def write(self, text: str) -> None:
        """Say what is in the changed file."""
        self._file.write_text(text, "utf-8")

    def compilations(self, program: str, flags: Sequence[str],
                     dropped: Sequence[str] = ()) -> dict[str, list[str]]:
        """By object that `program` has to get anew: the command that compiles it.

        `flags` are added, and those that begin as `dropped` say left away.
        """
        return {name: [*self._compile(name, dropped), *flags, "-w", "-o", str(self._new(name))]
                for name in self._recipes.objects(program) if self._is_concerned(name)}

    def link(self, program: str, objects: Sequence[str], output: Path) -> list[str]:
        """The command that links `program` with these objects instead of its own.

        One that was in a library stands in front: the library's is then not looked for.
        """
        command = self._recipes.command(program)
        direct = [str(self._new(word)) if word in objects else word for word in command[1:]]
        direct[direct.index("-o") + 1] = str(output)
        in_library = [str(self._new(name)) for name in objects if name not in command]
        return [command[0], *in_library, *direct, "-fuse-ld=lld", "-Wl,--strip-debug"]

    def _is_concerned(self, compiled: str) -> bool:
        source = self._recipes.source(compiled)
        if source.stem.removesuffix("-cases") in self._others:
            return False
        return self._recipes.reads(compiled, ROOT / self._changed)

    def _new(self, compiled: str) -> Path:
        return self.place / compiled.replace("/", "-")

    def _compile(self, compiled: str, dropped: Sequence[str]) -> list[str]:
        words: list[str] = []
        rest = iter(self._recipes.command(compiled)[:-2])  # without "-c SOURCE"
        for word in rest:
            if word in _WITH_VALUE:
                next(rest)
            elif word not in _DROPPED and not word.startswith(tuple(dropped) or ("\0",)):
                words.append(f"-I{self._here(word[2:])}" if word.startswith("-I") else word)
        return [*words, "-c", self._here_source(compiled)]

    def _here(self, path: str) -> str:
        """A path of the build's commands, led into this tree if it leads into the source tree."""
        absolute = Path(os.path.normpath(self._recipes.directory / path))
        for name in CODE:
            if absolute.is_relative_to(ROOT / name):
                return str(self.place / absolute.relative_to(ROOT))
        return str(absolute)

    def _here_source(self, compiled: str) -> str:
        source = self._recipes.source(compiled)
        if "-unity" not in source.name:
            return self._here(str(source))
        text = re.sub(r"#include\s*[<\"](.*?)[>\"]",
                      lambda found: f'#include "{self._here(found[1])}"',
                      source.read_text("utf-8"))
        copy = self.place / source.name
        copy.write_text(text, "utf-8")
        return str(copy)


class CompileError(RunError):
    """A change that is no C."""


async def make(tree: Tree, directory: Path, program: str, output: Path, flags: Sequence[str],
               dropped: Sequence[str] = ()) -> bool:
    """Compile and link a program of a changed tree. Returns: false iff it is not concerned.

    Raises CompileError, with what the compiler says, if the change is no C.
    """
    compilations = tree.compilations(program, flags, dropped)
    if not compilations:
        return False
    for command in compilations.values():
        await _run(command, directory, CompileError)
    await _run(tree.link(program, list(compilations), output), directory, RunError)
    return True


async def compile_only(tree: Tree, directory: Path, program: str, flags: Sequence[str],
                       dropped: Sequence[str]) -> list[bytes]:
    """The objects that a program of a changed tree gets anew."""
    commands = list(tree.compilations(program, flags, dropped).values())
    for command in commands:
        await _run(command, directory, CompileError)
    return [Path(command[-1]).read_bytes() for command in commands]


async def _run(command: Sequence[str], directory: Path, error: type[RunError]) -> None:
    outcome = await process.run(command, cwd=directory, env=build.environment())
    if outcome.status:
        raise error("with this change it cannot be made", outcome.tail)
