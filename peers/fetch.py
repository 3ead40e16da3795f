# SPDX-License-Identifier: MIT
"""Brings the peers' sources into the build directory, unmodified, out of Debian's packages.

usage: fetch.py DIRECTORY

Nothing is installed. A package that is installed already is read where it lies; another one is
downloaded by apt-get, and the few files wanted are taken out of it. Each file must have the very
checksum that the adapters were written for. Prints one line a peer whose source is in DIRECTORY;
what is missing, and what to do about it, goes to standard error, and the exit status is 1.
"""

import hashlib
import io
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from typing import IO, Optional


@dataclass(frozen=True)
class Source:
    """One file of somebody else's, and the peer that is built from it."""

    peer: str
    member: str  # its path within the package, or within the package's archive
    sha256: str

    @property
    def name(self) -> str:
        """Returns the name it has in the build directory, its own."""
        return pathlib.PurePath(self.member).name


@dataclass(frozen=True)
class Package:
    """A Debian package, and what is wanted of it."""

    name: str
    version: str  # whose files have the checksums
    archive: str  # the path within the package of the archive that holds the files, or ""
    sources: tuple[Source, ...]


PACKAGES = (
    Package("emscripten", "3.1.6~dfsg-5", "", (
        Source("dlmalloc", "usr/share/emscripten/system/lib/dlmalloc.c",
               "89b5e52aff5b8a6572c174fa15ec172853c41fd0227bcc6223f0fb04387f021b"),
        Source("emmalloc", "usr/share/emscripten/system/lib/emmalloc.c",
               "e50122b34a539aa79be736580cb2d575df819cad7c767d00460a04e7c445c913"))),
    Package("newlib-source", "3.3.0-1.3+deb12u1", "usr/src/newlib/newlib-3.3.0.tar.xz", (
        Source("newlib", "newlib-salsa/newlib/libc/stdlib/mallocr.c",
               "1b1bac97beda251708ca379f941fb2e3fef4f3b42497e1bd24b0dbf99616b6ac"),
        Source("newlib-nano", "newlib-salsa/newlib/libc/stdlib/nano-mallocr.c",
               "ee6161d1d1c6e82b63b5afce2405222a1c734cb0bd7ad72367088184fbe883f9"))),
)


class Missing(Exception):
    """A package's sources cannot be had; says why, and what to do."""


def sha256_of(content: bytes) -> str:
    """Returns the checksum as it stands in PACKAGES."""
    return hashlib.sha256(content).hexdigest()


def is_there(source: Source, directory: pathlib.Path) -> bool:
    """Returns whether an earlier run has brought that very file."""
    path = directory / source.name
    return path.is_file() and sha256_of(path.read_bytes()) == source.sha256


def members(archive: IO[bytes], wanted: set[str]) -> dict[str, bytes]:
    """Returns the contents of those members that the tar archive has; reads no further."""
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=archive, mode="r|*") as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            content = tar.extractfile(member) if name in wanted else None
            if content is not None:
                found[name] = content.read()
            if len(found) == len(wanted):
                break
    return found


def installed(wanted: set[str]) -> dict[str, bytes]:
    """Returns the contents of those of the package's files that are on this machine."""
    return {name: path.read_bytes() for name in wanted
            if (path := pathlib.Path("/") / name).is_file()}


def downloaded(package: Package, wanted: set[str]) -> dict[str, bytes]:
    """Downloads the package and returns the contents of those of its files."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Missing(f"there is no {tool} here: only Debian and its kin have the package "
                          f"{package.name}")
    with tempfile.TemporaryDirectory() as scratch:
        apt = subprocess.run(["apt-get", "--quiet", "--quiet", "download", package.name],
                             cwd=scratch, capture_output=True, text=True, check=False)
        debs = list(pathlib.Path(scratch).glob("*.deb"))
        if apt.returncode != 0 or not debs:
            lines = [line for line in apt.stderr.splitlines() if line.startswith("E:")]
            raise Missing(f"apt-get cannot download {package.name}: "
                          f"{lines[0] if lines else 'no reason given'}; is there a network, and "
                          f"has apt-get update been run?")
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(debs[0])],
                              stdout=subprocess.PIPE) as unpacking:
            assert unpacking.stdout is not None
            return members(unpacking.stdout, wanted)


def not_the_one(package: Package, source: Source, content: Optional[bytes]) -> str:
    """Returns what is wrong with a package's file, or nothing."""
    if content is None:
        return f"{package.name} holds no {source.member} here; version {package.version} does"
    if sha256_of(content) != source.sha256:
        return (f"{source.name} of {package.name} is not the one that peers/{source.peer}.c was "
                f"written for, of version {package.version}: its SHA-256 is {sha256_of(content)}, "
                f"expected {source.sha256}")
    return ""


def bring(package: Package, directory: pathlib.Path) -> None:
    """Puts the package's sources into the directory; raises Missing if one cannot be had."""
    in_package = {package.archive} if package.archive else {it.member for it in package.sources}
    contents = installed(in_package)
    if len(contents) < len(in_package):
        contents = downloaded(package, in_package)
    if package.archive in contents:
        contents = members(io.BytesIO(contents[package.archive]),
                           {it.member for it in package.sources})
    wrong = []
    for source in package.sources:
        content = contents.get(source.member)
        reason = not_the_one(package, source, content)
        if content is not None and not reason:
            (directory / source.name).write_bytes(content)
        else:
            wrong.append(reason)
    if wrong:
        raise Missing("; ".join(wrong))


def main() -> int:
    """Brings what is missing; one package's failure does not keep another's sources away."""
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    status = 0
    for package in PACKAGES:
        try:
            if not all(is_there(source, directory) for source in package.sources):
                bring(package, directory)
        except (Missing, OSError, tarfile.TarError) as reason:
            peers = ", ".join(source.peer for source in package.sources
                              if not is_there(source, directory))
            print(f"without {peers}: {reason}", file=sys.stderr)
            status = 1
        for source in package.sources:
            if is_there(source, directory):
                print(source.peer)
    return status


if __name__ == "__main__":
    sys.exit(main())
