# SPDX-License-Identifier: MIT
"""heaplab: what it installs, what it says when it cannot, and how it hands over.

Each test has a copy of heaplab with a short list of needs, a lab/ that only reports how it was
called, and a PATH in which apt-get, sudo, id and dpkg are stand-ins that write down their calls.
Those of Output call the lab itself.
"""

import errno
import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Optional
from unittest import mock

from lab import ROOT
from lab.__main__ import COMMANDS
from lab.tests.support import said, script, temporary_directory

HEAPLAB = ROOT / "heaplab"
_NEEDS = re.compile(r"(needs\(\) \{\n    cat <<'END'\n)(.*?)(END\n\})", re.DOTALL)

# Stand-ins. $LOG takes the calls; 'apt-get install' makes the files named like the packages.
_STAND_INS = {
    "id": 'echo "$FAKE_UID"',
    "sudo": 'case "$1" in -n) exit "$SUDO_STATUS";; -v) exit "$SUDO_STATUS";; esac\n'
            'echo "sudo" >> "$LOG"; exec "$@"',
    "dpkg": 'echo "dpkg $*" >> "$LOG"',
    # As apt's own: to 'show' a name is taken as it is, to 'search' as a pattern.
    "apt-cache": 'case $2 in show) [ "$3" != "$KNOWN" ] || echo "Package: $3";;'
                 ' *) ! echo "$KNOWN" | grep -E -e "$4" ;; esac',
    "apt-get": """echo "apt-get $* [$DEBIAN_FRONTEND]" >> "$LOG"
echo chatter
case "$*" in
    *update*) exit "$UPDATE_STATUS" ;;
    *install*) [ "$INSTALL_STATUS" -eq 0 ] || exit "$INSTALL_STATUS"
        for word; do case $word in pkg-*) : > "$TREE/${word%:i386}" ;; esac; done ;;
esac""",
    # What it says of the loader of 32-bit programs; that loader starts if this system can.
    "gcc": 'echo "$TREE/loader"',
    "qemu-i386": "",
    "update-binfmts": """echo "update-binfmts $*" >> "$LOG"
[ "$EMULATION_STATUS" -ne 0 ] || printf '#!/bin/sh\n' > "$TREE/loader"
exit "$EMULATION_STATUS" """,
}
_TOOLS = ("cat", "dirname", "env", "grep", "readlink")


class Heaplab(unittest.TestCase):

    def setUp(self) -> None:
        self.tree = self.enterContext(temporary_directory())
        self.log = self.tree / "log"
        self.bin = self.tree / "bin"
        (self.tree / "lab").mkdir()
        self.bin.mkdir()
        self.install_lab(self.tree / "lab", "lab")
        for name, body in _STAND_INS.items():
            script(self.bin / name, f"#!/bin/sh\n{body}\n")
        script(self.tree / "loader", "#!/bin/sh\n")
        for name in _TOOLS:
            (self.bin / name).symlink_to(shutil.which(name) or name)
        self.needs(f"build pkg-a file {self.tree}/pkg-a",
                   f"tests pkg-b file {self.tree}/pkg-b")

    def install_lab(self, directory: Path, name: str) -> None:
        (directory / "__main__.py").write_text(
            "import os, sys\n\ndef main():\n"
            f"    print('{name}', sys.argv[1:], os.getcwd(), 'PYTHONPATH' in os.environ)\n"
            "    return 7\n", "utf-8")

    def needs(self, *lines: str) -> None:
        text, found = _NEEDS.subn(lambda match: match[1] + "".join(f"{line}\n" for line in lines)
                                  + match[3], HEAPLAB.read_text("utf-8"))
        self.assertEqual(found, 1)
        script(self.tree / "heaplab", text)

    def run_it(self, *arguments: str, program: Optional[Path] = None, cwd: Optional[Path] = None,
               **environment: str) -> tuple[int, str, str]:
        settings = {"PATH": str(self.bin), "LOG": str(self.log), "TREE": str(self.tree),
                    "FAKE_UID": "0", "SUDO_STATUS": "0", "UPDATE_STATUS": "0",
                    "INSTALL_STATUS": "0", "EMULATION_STATUS": "0", "KNOWN": "nothing"}
        done = subprocess.run([str(program or self.tree / "heaplab"), *arguments], text=True,
                              cwd=cwd or self.tree, env=settings | environment, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True)
        return done.returncode, done.stdout, done.stderr

    def calls(self) -> list[str]:
        return self.log.read_text("utf-8").splitlines() if self.log.exists() else []

    def handed_over(self, *arguments: str) -> str:
        return f"lab {list(arguments)} {self.tree} False\n"

    def test_with_nothing_missing_it_installs_nothing_and_says_nothing(self) -> None:
        (self.tree / "pkg-a").touch()
        self.assertEqual(self.run_it("compare", "--quick"),
                         (7, self.handed_over("compare", "--quick"), ""))
        self.assertEqual(self.calls(), [])

    def test_root_installs_what_is_missing_and_names_it_and_only_once(self) -> None:
        status, out, err = self.run_it("compare")
        self.assertEqual((status, out), (7, self.handed_over("compare")))
        self.assertEqual(err.splitlines()[0], "heaplab: installing with apt: pkg-a")
        self.assertEqual(self.calls(), [
            "apt-get -q -o DPkg::Lock::Timeout=300 update [noninteractive]",
            "apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends pkg-a"
            " [noninteractive]"])
        self.log.unlink()
        self.assertEqual(self.run_it("compare"), (7, self.handed_over("compare"), ""))
        self.assertEqual(self.calls(), [])

    def test_each_command_installs_only_what_it_needs(self) -> None:
        (self.tree / "pkg-a").touch()
        _, _, err = self.run_it("test")
        self.assertEqual(err.splitlines()[0], "heaplab: installing with apt: pkg-b")

    def test_sudo_is_used_where_there_is_no_root(self) -> None:
        status, _, _ = self.run_it("compare", FAKE_UID="1000")
        self.assertEqual(status, 7)
        self.assertEqual([call for call in self.calls() if call == "sudo"], ["sudo", "sudo"])
        self.assertTrue((self.tree / "pkg-a").exists())

    def test_without_root_and_sudo_it_prints_the_one_line_and_fails(self) -> None:
        (self.bin / "sudo").unlink()
        self.assertEqual(self.run_it("compare", FAKE_UID="1000"), (
            1, "",
            "heaplab: error: root's rights are needed to install packages; this command needs"
            " these Debian packages, and one line installs them:\n"
            "    su -c 'apt-get update && apt-get install -y --no-install-recommends pkg-a'\n"))
        self.assertEqual(self.calls(), [])

    def test_without_a_terminal_a_sudo_that_asks_is_not_asked(self) -> None:
        status, out, err = self.run_it("compare", FAKE_UID="1000", SUDO_STATUS="1")
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(err.splitlines()[-1], "    sudo apt-get update && sudo apt-get install"
                         " -y --no-install-recommends pkg-a")
        self.assertEqual(self.calls(), [])

    def test_without_apt_it_names_the_packages_and_fails(self) -> None:
        (self.bin / "apt-get").unlink()
        status, out, err = self.run_it("compare")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("heaplab: error: there is no apt-get here;", err)
        self.assertIn("pkg-a", err)

    def test_lists_that_cannot_be_fetched_are_no_end(self) -> None:
        status, _, err = self.run_it("compare", UPDATE_STATUS="100")
        self.assertEqual(status, 7)
        self.assertIn("heaplab: apt could not bring all its lists up to date; trying with those"
                      " it has\n", err)

    def test_packages_that_cannot_be_fetched_are_told(self) -> None:
        status, out, err = self.run_it("compare", INSTALL_STATUS="100")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("heaplab: error: apt could not install everything (is there a network?);",
                      err)
        self.assertEqual(err.splitlines()[-1],
                         "    apt-get update && apt-get install -y --no-install-recommends pkg-a")

    def test_a_package_that_brings_no_remedy_is_told(self) -> None:
        self.needs(f"build pkg-a file {self.tree}/other")
        status, out, err = self.run_it("compare")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("heaplab: error: apt installed its packages, but these are still not"
                      " usable;", err)

    def test_a_foreign_package_brings_its_architecture(self) -> None:
        self.needs(f"build pkg-c:i386 file {self.tree}/pkg-c")
        status, _, _ = self.run_it("compare")
        self.assertEqual(status, 7)
        self.assertEqual(self.calls()[0], "dpkg --add-architecture i386")
        (self.tree / "pkg-c").unlink()
        (self.bin / "sudo").unlink()
        _, _, err = self.run_it("compare", FAKE_UID="1000")
        self.assertIn("su -c 'dpkg --add-architecture i386 && apt-get update && apt-get install",
                      err)

    def test_an_optional_package_is_taken_only_where_it_exists(self) -> None:
        for package in ("pkg-d", "pkg-g++-multilib"):
            with self.subTest(package):
                self.needs(f"valgrind {package} file {self.tree}/{package}")
                self.assertEqual(self.run_it("answer"), (7, self.handed_over("answer"), ""))
                self.assertEqual(self.calls(), [])
                self.run_it("answer", KNOWN=package)
                self.assertTrue((self.tree / package).exists())
                self.log.unlink()

    def test_apt_writes_nothing_into_the_answer(self) -> None:
        _, out, err = self.run_it("compare")
        self.assertNotIn("chatter", out)
        self.assertIn("chatter", err)

    def test_commands_and_modules_are_looked_for(self) -> None:
        self.needs("build pkg-a command some-tool", "build pkg-b module no_such_module",
                   "build pkg-c module json")
        _, _, err = self.run_it("compare")
        self.assertIn("heaplab: installing with apt: pkg-a pkg-b\n", err)
        script(self.bin / "some-tool", "#!/bin/sh\n")
        _, _, err = self.run_it("compare")
        self.assertIn("heaplab: installing with apt: pkg-b\n", err)

    def test_a_compiler_without_32_bit_libraries_is_not_enough(self) -> None:
        self.needs("build pkg-m m32")
        for body, missing in (("exit 1", True), ('echo "${2#*=}"', True),
                              ('echo "/lib64/${2#*=}"', True),
                              ('echo "/lib${1#-m}/${2#*=}"', False)):
            with self.subTest(body):
                script(self.bin / "gcc", f"#!/bin/sh\n{body}\n")
                _, _, err = self.run_it("compare", INSTALL_STATUS="1")
                self.assertEqual("installing with apt: pkg-m" in err, missing)
        (self.bin / "gcc").unlink()
        _, _, err = self.run_it("compare", INSTALL_STATUS="1")
        self.assertIn("installing with apt: pkg-m", err)

    def test_where_no_32_bit_program_starts_an_emulator_is_told_to_start_them(self) -> None:
        (self.tree / "pkg-a").touch()
        self.needs(f"build pkg-a file {self.tree}/pkg-a", f"emulator pkg-e file {self.tree}/pkg-e")
        (self.tree / "loader").write_bytes(b"\x7fELF, and nothing that any system starts")
        status, out, err = self.run_it("compare")
        self.assertEqual((status, out), (7, self.handed_over("compare")))
        emulator = self.bin / "qemu-i386"
        self.assertIn(f"heaplab: this system starts no 32-bit programs; telling it to start them by"
                      f" {emulator} (update-binfmts --remove qemu-i386-heaplab {emulator} undoes"
                      " that)\n", err)
        self.assertTrue((self.tree / "pkg-e").exists())
        registered = self.calls()[-1].split()
        self.assertEqual(registered[:4], ["update-binfmts", "--install", "qemu-i386-heaplab",
                                          str(emulator)])
        self.log.unlink()
        self.assertEqual(self.run_it("compare"), (7, self.handed_over("compare"), ""))
        self.assertEqual(self.calls(), [])

    def test_the_emulator_is_told_of_32_bit_programs_and_of_no_others(self) -> None:
        text = HEAPLAB.read_text("utf-8")
        magic, mask = (re.search(rf"--{name} \\\n +'([^']*)'", text)[1]
                       .encode("ascii").decode("unicode_escape").encode("latin-1")
                       for name in ("magic", "mask"))

        def is_its(program: Path) -> bool:
            start = program.read_bytes()[:len(magic)]
            return bytes(map(int.__and__, start, mask)) == bytes(map(int.__and__, magic, mask))

        gcc = shutil.which("gcc") or self.skipTest("gcc is not installed")
        for width, flag in itertools.product(("-m32", "-m64"), ("-pie", "-no-pie", "-static")):
            program = self.tree / "program"
            subprocess.run([gcc, width, flag, "-x", "c", "-", "-o", program], check=True,
                           input=b"int main(void) { return 0; }")
            with self.subTest(width=width, flag=flag):
                self.assertEqual(is_its(program), width == "-m32")

    def test_a_system_that_takes_no_emulator_is_told(self) -> None:
        (self.tree / "pkg-a").touch()
        (self.tree / "loader").write_bytes(b"\x7fELF, and nothing that any system starts")
        status, out, err = self.run_it("compare", EMULATION_STATUS="2")
        self.assertEqual((status, out), (1, ""))
        self.assert_tells_what_to_do_about_32_bits(err)

    def test_without_root_the_line_that_makes_it_take_an_emulator_is_told(self) -> None:
        (self.tree / "pkg-a").touch()
        (self.bin / "sudo").unlink()
        (self.tree / "loader").write_bytes(b"\x7fELF, and nothing that any system starts")
        status, out, err = self.run_it("compare", FAKE_UID="1000")
        self.assertEqual((status, out, self.calls()), (1, "", []))
        self.assert_tells_what_to_do_about_32_bits(err)

    def assert_tells_what_to_do_about_32_bits(self, err: str) -> None:
        emulator = self.bin / "qemu-i386"
        *_, told, line = err.splitlines()
        self.assertEqual(told, "heaplab: error: this system starts no 32-bit programs, and this"
                         f" command makes some; nor could {emulator} be made to start them, which"
                         " root alone may do, and not in every container; this line does it:")
        words = shlex.split(line)
        self.assertEqual(words[:4], ["update-binfmts", "--install", "qemu-i386-heaplab",
                                     str(emulator)])
        self.assertEqual([word[:4] for word in words[5::2]], ["\\x7f", "\\xff"])

    def test_where_the_loader_is_not_to_be_found_nothing_is_done(self) -> None:
        (self.tree / "pkg-a").touch()
        (self.tree / "loader").unlink()
        self.assertEqual(self.run_it("compare"), (7, self.handed_over("compare"), ""))
        self.assertEqual(self.calls(), [])

    def test_a_command_that_makes_no_programs_does_not_ask_for_their_start(self) -> None:
        (self.tree / "loader").write_bytes(b"\x7fELF, and nothing that any system starts")
        self.assertEqual(self.run_it("new"), (7, self.handed_over("new"), ""))

    def test_asking_for_help_installs_nothing(self) -> None:
        self.assertEqual(self.run_it("compare", "--help"),
                         (7, self.handed_over("compare", "--help"), ""))
        self.assertEqual(self.calls(), [])

    def test_no_command_and_help_list_the_commands(self) -> None:
        for arguments in ((), ("help",), ("--help",), ("-h",)):
            status, out, err = self.run_it(*arguments)
            self.assertEqual((status, err), (0, ""))
            self.assertRegex(out, r"(?m)^  compare  .+$")
            self.assertRegex(out, r"(?m)^  test  .+$")

    def commands(self) -> list[str]:
        """The commands that the list names, but for help."""
        return re.findall(r"(?m)^  ([a-z]+) ", self.run_it("help")[1])[:-1]

    def test_an_unknown_command_is_one_line(self) -> None:
        self.assertEqual(self.run_it("frobnicate"), (
            2, "", "heaplab: error: there is no command 'frobnicate'; the commands are:"
            f" {', '.join(self.commands())}, help\n"))

    def test_it_works_through_links_from_anywhere(self) -> None:
        (self.tree / "pkg-a").touch()
        elsewhere = self.tree / "else where"
        elsewhere.mkdir()
        (elsewhere / "first").symlink_to("../heaplab")
        (elsewhere / "second").symlink_to("first")
        self.assertEqual(self.run_it("compare", program=elsewhere / "second", cwd=elsewhere),
                         (7, f"lab ['compare'] {elsewhere} False\n", ""))

    def test_a_lab_in_the_current_directory_is_not_taken(self) -> None:
        (self.tree / "pkg-a").touch()
        other = self.tree / "other"
        (other / "lab").mkdir(parents=True)
        self.install_lab(other / "lab", "wrong")
        status, out, _ = self.run_it("compare", cwd=other, PYTHONPATH=str(other))
        self.assertEqual(out, f"lab ['compare'] {other} True\n")

    def test_a_copy_without_its_tree_is_told(self) -> None:
        alone = self.tree / "alone"
        alone.mkdir()
        shutil.copy(self.tree / "heaplab", alone)
        self.assertEqual(self.run_it("compare", program=alone / "heaplab"), (
            1, "", f"heaplab: error: {alone} has no lab/: run heaplab where it lies in the source"
            " tree, or by a link to it\n"))


class Output(unittest.TestCase):
    """What becomes of a command that cannot print what it has to say."""

    def end(self, line: str, *arguments: str, unbuffered: str = "") -> tuple[int, str]:
        """Status and standard error of a command, in a shell's line as "$@"."""
        done = subprocess.run(
            ["bash", "-c", line, "bash", sys.executable, "-B", "-m", "lab", *arguments],
            cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": unbuffered}, capture_output=True,
            text=True, check=False)
        return done.returncode, done.stderr

    def test_an_output_that_is_full_is_one_line_and_status_1(self) -> None:
        for arguments in (("record", "--help"), ("new", "--help"), ("test", "--help"),
                          ("trace", "info", "linux-boot", "--no-needs")):
            with self.subTest(arguments):
                self.assertEqual(self.end('"$@" >/dev/full', *arguments), (
                    1, "heaplab: error: standard output: cannot be written: No space left on"
                    " device\n"))
                status, err = self.end('"$@" >/dev/full', *arguments, unbuffered="1")
                self.assertEqual(status, 1)
                self.assertRegex(err, r"\Aheaplab: error: standard output\b.*: cannot be written:"
                                 r" No space left on device\n\Z")

    def test_a_list_of_commands_that_cannot_be_written_is_one_line_and_status_1(self) -> None:
        for argument in ("", "help", "--help"):
            for output in (">/dev/full", ">&-"):
                self.assertEqual(self.end(f'"{HEAPLAB}" {argument} {output}'), (
                    1, "heaplab: error: standard output: the list of commands cannot be"
                    " written\n"))

    def test_an_error_is_told_where_the_output_is_full_or_closed(self) -> None:
        for output in (">/dev/full", ">&-"):
            status, err = self.end(f'"$@" {output}', "record", "nothing")
            self.assertEqual((status, err.count("\n")), (2, 1))
            self.assertIn("invalid choice: 'nothing'", err)

    def test_a_file_that_nobody_expected_trouble_with_is_one_line_and_status_1(self) -> None:
        wrong = PermissionError(errno.EACCES, "Permission denied", "/a/file")
        with mock.patch.dict(COMMANDS, new=mock.Mock(side_effect=wrong)):
            self.assertEqual(said("new"), (1, "", "heaplab: error: /a/file: Permission denied\n"))

    def test_a_reader_that_leaves_is_no_error(self) -> None:
        self.assertEqual(self.end('"$@" | true; exit "${PIPESTATUS[0]}"', "record", "--help"),
                         (0, ""))


class NeedsOfThisProject(unittest.TestCase):

    def table(self, name: str) -> list[list[str]]:
        """The lines of one of its tables, each cut into words."""
        match = re.search(rf"^{name}\(\) \{{\n    cat <<'END'\n(.*?)END\n\}}",
                          HEAPLAB.read_text("utf-8"), re.DOTALL | re.MULTILINE)
        assert match
        return [line.split() for line in match[1].splitlines()]

    def test_every_line_is_understood(self) -> None:
        for line in self.table("needs"):
            self.assertRegex(" ".join(line), r"^[a-z]+ [a-z0-9.+-]+(:i386)? (command \S+|file /\S+"
                                             r"|module \w+|m32|(gcc|clang)32 \S+)$")
        packages = [package for _, package, *_ in self.table("needs")]
        self.assertEqual(len(packages), len(set(packages)))

    def test_every_command_is_one_of_the_labs_and_needs_groups_that_there_are(self) -> None:
        self.assertCountEqual([name for name, *_ in self.table("commands")], COMMANDS)
        groups = {group for group, *_ in self.table("needs")}
        named = {"python", "emulator"}  # those that heaplab asks for by itself
        for _, needed, *text in self.table("commands"):
            named |= {group.removesuffix("?") for group in needed.split(",")} - {"-"}
            self.assertTrue(text)
        self.assertEqual(named, groups)

    def test_heaplab_is_posix_and_clean(self) -> None:
        checker = shutil.which("shellcheck")
        if not checker:
            self.skipTest("shellcheck is not installed")
        done = subprocess.run([checker, "--shell=sh", str(HEAPLAB)], capture_output=True,
                              text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_heaplab_can_be_executed(self) -> None:
        self.assertTrue(os.access(HEAPLAB, os.X_OK))


if __name__ == "__main__":
    unittest.main()
