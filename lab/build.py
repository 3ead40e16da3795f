# SPDX-License-Identifier: MIT
"""Meson, asked for what the lab needs: the strategies, their kernels, and how they were built."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Mapping, Optional, Sequence

from lab import ROOT, process
from lab.errors import InputError, RunError
from lab.heaps import Care, Heap
from lab.results import made_directory

HEAP_KIB_MIN, HEAP_KIB_DEFAULT, HEAP_KIB_MAX = 64, 1024, 65536

CROSS_FILE = ROOT / "cross" / "i686.ini"

# What the results depend on is what the project says, not what the caller's environment adds.
_OVERRIDES = ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "CC_LD", "CC_FOR_BUILD", "CFLAGS_FOR_BUILD",
              "CPPFLAGS_FOR_BUILD", "LDFLAGS_FOR_BUILD")
_FLAGS_WITH_FILE = ("-o", "-MF", "-MQ", "-MT", "-include", "-isystem")
_FLAGS_DROPPED = ("-c", "-MD", "-MMD", "-fcolor-diagnostics", "-fdiagnostics-color=always")


def checked_heap_kib(text: str) -> int:
    """The heap size that an option --heap-kib says.

    Raises InputError if it is no size that the project can be built for.
    """
    if not (text.isascii() and text.isdigit()) or \
            not HEAP_KIB_MIN <= int(text[:9]) <= HEAP_KIB_MAX:
        raise InputError(f"--heap-kib {text}: the heap's size is a number of KiB"
                         f" from {HEAP_KIB_MIN} to {HEAP_KIB_MAX}")
    return int(text)


def meson() -> str:
    """The meson to call: Debian's if it is there, because a tool of that name may come first."""
    return "/usr/bin/meson" if os.access("/usr/bin/meson", os.X_OK) else \
        shutil.which("meson") or "meson"


def environment() -> dict[str, str]:
    """The caller's environment without what would change how kernels are compiled."""
    return {name: value for name, value in os.environ.items() if name not in _OVERRIDES}


def lab_root() -> Path:
    """Where the lab keeps its builds and unpacked traces: LAB_BUILD_ROOT, or build/lab."""
    return Path(os.environ.get("LAB_BUILD_ROOT") or ROOT / "build" / "lab").absolute()


def setup_command(directory: Path, options: Mapping[str, object]) -> list[str]:
    """The command that configures `directory`."""
    return [meson(), "setup", str(directory), str(ROOT), "--cross-file", str(CROSS_FILE),
            *(f"-D{name}={value}" for name, value in options.items())]


def is_configured(directory: Path) -> bool:
    """True iff a finished `meson setup` of this very source tree stands in `directory`."""
    try:
        info = json.loads((directory / "meson-info" / "meson-info.json").read_text("utf-8"))
        places = info["directories"]
    except (OSError, ValueError, KeyError):
        return False
    return (directory / "build.ninja").is_file() and \
        Path(places["source"]) == ROOT and Path(places["build"]) == directory.absolute()


def _introspect(*arguments: str) -> Any:
    return json.loads(_output([meson(), "introspect", *arguments], ROOT))


def strategies() -> list[str]:
    """Every strategy the project knows, in the order of its option `strategies`.

    Raises RunError if the file of one is missing: no build could be configured.
    """
    for option in _introspect(str(ROOT / "meson.build"), "--buildoptions"):
        if option["name"] == "strategies":
            for name in option["choices"]:
                if not (ROOT / "mm" / f"{name}.c").is_file():
                    raise RunError(f"there is no mm/{name}.c, but meson_options.txt has {name}"
                                   " among the strategies: write the one, or strike out the other")
            return list(option["choices"])
    raise RunError("the project has no build option 'strategies'")


def peers() -> list[str]:
    """The allocators of others that can be built beside the strategies (-Dpeers)."""
    return sorted(path.stem for path in (ROOT / "peers").glob("*.c"))


def _source(heap: str) -> str:
    """The file that a strategy, or the adapter of a peer, is in."""
    return f"peers/{heap}.c" if heap in peers() else f"mm/{heap}.c"


def _option_values(directory: Path) -> dict[str, Any]:
    """The values of a configured directory's options."""
    return {option["name"]: option["value"]
            for option in _introspect(str(directory), "--buildoptions")}


def _written(value: object) -> str:
    """An option's value as a command line has it."""
    return ",".join(value) if isinstance(value, list) else str(value)


def adopt_new_strategies(directory: Path) -> None:
    """Make a directory that builds every strategy it knew build those added since as well.

    Meson keeps the value that an option had when the directory was configured, and says nothing
    when its choices grow. A selection that somebody made is left alone.
    """
    (option,) = (option for option in _introspect(str(directory), "--buildoptions")
                 if option["name"] == "strategies")
    if set(option["value"]) == set(option["choices"]) != set(strategies()):
        done = subprocess.run([meson(), "setup", "--reconfigure", str(directory), str(ROOT),
                               f"-Dstrategies={','.join(strategies())}"], check=False)
        if done.returncode:
            raise RunError(f"{directory} could not be configured for the strategies added since")


@dataclass(frozen=True)
class Program:
    """One thing to build and to run."""

    path: Path
    target: str
    """What `meson compile` calls it."""


class Build:
    """One configured build directory of the lab: the kernels of one heap size.

    Once peers were asked for, it goes on building them: fetching them takes long.
    """

    def __init__(self, heap_kib: int, root: Optional[Path] = None, *,
                 with_peers: bool = False, hardening: str = "off",
                 locking: str = "none") -> None:
        self.heap_kib = heap_kib
        self.with_peers = with_peers
        self.hardening = hardening
        self.locking = locking
        self.directory = (root or lab_root()) / \
            f"kib-{heap_kib}{Care(hardening, locking).suffix}"
        self._programs: dict[str, Program] = {}

    def prepare(self, names: Sequence[str], say: Callable[[str], None]) -> None:
        """Configure if need be, and bring the programs `names` up to date.

        Raises InputError if there is no place for it, RunError with its output if it fails.
        """
        made_directory(self.directory.parent)
        with self._locked(say):
            self._configure(say)
            self._programs = self._find(names)
            self._compile(say)

    def program(self, name: str) -> Path:
        """The file of a prepared program."""
        return self._programs[name].path

    def _configure(self, say: Callable[[str], None]) -> None:
        options = {"heap_kib": self.heap_kib, "hardening": self.hardening,
                   "locking": self.locking,
                   "strategies": ",".join(strategies())}
        if self.with_peers:
            options["peers"] = "enabled"
            if not (self.directory / "peers" / "sources").is_dir():
                say("fetching the peers' sources, up to 115 MB, once")
        if not is_configured(self.directory):
            shutil.rmtree(self.directory, ignore_errors=True)
            say(f"configuring the build for {self.heap_kib} KiB")
            self._meson("the configuration", setup_command(self.directory, options))
            return
        if any(_written(value) != str(options.get(name, _written(value)))
               for name, value in _option_values(self.directory).items()):
            self._meson("the configuration",
                        [*setup_command(self.directory, options), "--wipe"])
            return
        # What there is to build may have changed since.
        self._meson("the configuration", [shutil.which("ninja") or "ninja", "-C",
                                          str(self.directory), "build.ninja"])

    def _compile(self, say: Callable[[str], None]) -> None:
        if any(not program.path.exists() for program in self._programs.values()):
            say(f"building {len(self._programs)} programs for {self.heap_kib} KiB")
        self._meson("the build", [meson(), "compile", "-C", str(self.directory),
                                  *(program.target for program in self._programs.values())])

    def _meson(self, what: str, command: Sequence[str]) -> None:
        lines: list[str] = []
        outcome = process.wait_for(
            process.run(command, on_line=lines.append, env=environment(), cwd=ROOT))
        if outcome.status:
            raise RunError(f"{what} in {self.directory} failed; its output:",
                           (*lines, *(line for line in outcome.tail if line not in lines)))

    def _find(self, names: Sequence[str]) -> dict[str, Program]:
        """Find the targets whose output is called as `names` say."""
        wanted = set(names)
        found: dict[str, Program] = {}
        for target in _introspect(str(self.directory), "--targets"):
            for path in map(Path, target["filename"]):
                if path.name in wanted:
                    folder = Path(target["defined_in"]).parent.relative_to(ROOT)
                    found[path.name] = Program(path, str(folder / target["name"]))
        if missing := sorted(wanted - set(found)):
            raise RunError(f"the project builds no {', '.join(missing)}")
        return {name: found[name] for name in names}

    @contextlib.contextmanager
    def _locked(self, say: Callable[[str], None]) -> Iterator[None]:
        """Hold the directory against another compare that would build in it at the same time."""
        with open(f"{self.directory}.lock", "w", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"waiting for another build in {self.directory}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def provenance(self, strategy: str) -> dict[str, dict[str, object]]:
        """Compiler and flags of the kernel's and of the Linux program's copy of a strategy."""
        answer: dict[str, dict[str, object]] = {}
        for name, program in (("kernel", f"los-{strategy}.elf"), ("search", f"host-{strategy}")):
            command = self._compile_command(self._programs[program].path, _source(strategy))
            said = _output([command[0], "--version"], self.directory)
            answer[name] = {"compiler": said.partition("\n")[0],
                            "flags": _flags(command[1:], self.directory)}
        return answer

    def _compile_command(self, program: Path, source: str) -> list[str]:
        """The compiler call through which `source` comes into `program`."""
        ninja = shutil.which("ninja") or "ninja"
        commands = _output([ninja, "-t", "commands", str(program.relative_to(self.directory))],
                           self.directory)
        for command in map(shlex.split, commands.splitlines()):
            if "-c" in command and self._brings(command[-1], source):
                return command
        raise RunError(f"{program.name} is not made from {source}")

    def _brings(self, compiled: str, source: str) -> bool:
        """True iff the compiled file is `source`, or includes it (Meson's unity builds)."""
        if compiled.endswith(source):
            return True
        with contextlib.suppress(OSError):
            text = (self.directory / compiled).read_text("utf-8", "replace")
            return "-unity" in compiled and f"{source}>" in text.replace('"', ">")
        return False


def builds_of(chosen: Iterable[Heap], heap_kib: int,
              with_peers: bool = False) -> dict[Care, Build]:
    """The builds that heaps come from, by hardening and locking."""
    return {care: Build(heap_kib, with_peers=with_peers, **care._asdict())
            for care in dict.fromkeys(heap.care for heap in chosen)}


def what_makes_code(provenance: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, object]]:
    """Of what made programs, what comes from outside: the compilers, and flags that matter.

    Warnings change no count. Definitions, and what links libraries, are the project's own: where
    they change, so did its sources, and what that does to a count is to be seen.
    """
    own = ("-W", "-D", "-pthread")
    return {program: {"compiler": made["compiler"],
                      "flags": [flag for flag in made["flags"] if not flag.startswith(own)]}
            for program, made in provenance.items()}


def _output(command: Sequence[str], directory: Path) -> str:
    """What a command prints.

    Raises RunError with it if the command fails.
    """
    try:
        done = subprocess.run(command, cwd=directory, env=environment(), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise RunError(f"{command[0]} cannot be started: {error.strerror}") from error
    if done.returncode:
        raise RunError(f"'{shlex.join(command)}' failed",
                       (done.stdout + done.stderr).splitlines())
    return done.stdout


def _flags(arguments: Sequence[str], directory: Path) -> list[str]:
    """The flags that matter to the code, the same in whatever directory the project lies."""
    flags: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in _FLAGS_WITH_FILE:
            next(rest, None)
        elif argument.startswith(("-I", "-isystem")) or argument in _FLAGS_DROPPED \
                or not argument.startswith("-"):
            continue
        elif str(ROOT) not in argument and str(directory) not in argument:
            flags.append(argument)
    return flags
