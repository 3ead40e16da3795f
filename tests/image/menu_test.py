# SPDX-License-Identifier: MIT
"""What must be true of the menu in los.iso: an entry for whatever the image promises.

usage: menu_test.py BUILD_DIRECTORY HEAP [unittest arguments]
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path()
HEAP = ""

SUBMENU = re.compile(r'^submenu "LOS on ([^"]*)" --id \S+ \{\n(.*?)^\}$', re.MULTILINE | re.DOTALL)
FOR_TESTS = re.compile(r"-(irq|spin|percpu)$|-bare-")
ENTRY = re.compile(r'^  menuentry "(?P<strategy>[^:]*): (?P<title>.*)" --id (?P<id>\S*) \{\n'
                   r"(?P<commands>(?:    .*\n)*)  \}$", re.MULTILINE)


def xorriso(*words: object) -> str:
    """Returns what xorriso prints about los.iso; raises if it fails."""
    return subprocess.run(["xorriso", "-osirrox", "on", "-indev", BUILD / "arch/x86/los.iso",
                           *words], check=True, capture_output=True, text=True).stdout


def built_kernels() -> list[str]:
    """Returns the strategies, of others too, whose kernels Meson builds; those that are built
    once more for tests of locking are not meant."""
    targets = json.loads((BUILD / "meson-info" / "intro-targets.json").read_text())
    names = (re.fullmatch(r"los-(.*?)\.elf", target["name"]) for target in targets)
    return [name[1] for name in names if name and not FOR_TESTS.search(name[1])]


def shipped_traces() -> list[str]:
    """Returns the names of the project's traces."""
    return sorted(path.name.removesuffix(".rep.gz")
                  for path in (SOURCE / "traces").glob("*.rep.gz"))


class TheMenu(unittest.TestCase):

    menu = ""

    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as directory:
            copy = pathlib.Path(directory) / "grub.cfg"
            xorriso("-extract", "/boot/grub/grub.cfg", copy)
            cls.menu = copy.read_text()
        cls.submenus = dict(SUBMENU.findall(cls.menu))
        cls.entries = list(ENTRY.finditer(cls.menu))

    def test_has_a_submenu_for_each_kernel_that_was_built(self):
        self.assertEqual(sorted(self.submenus), sorted(built_kernels()))

    def test_has_an_entry_for_self_tests_shell_and_each_trace_in_each_submenu(self):
        due = sorted(["self-tests", "a shell", *(f"replay {name}" for name in shipped_traces())])
        for strategy, text in self.submenus.items():
            with self.subTest(strategy):
                found = [(entry["strategy"], entry["title"]) for entry in ENTRY.finditer(text)]
                self.assertEqual(sorted(found), [(strategy, title) for title in due])

    def test_starts_what_each_entry_says(self):
        for entry in self.entries:
            strategy, title = entry["strategy"], entry["title"]
            trace = title.removeprefix("replay ")
            words, modules = {"self-tests": ("run=tests", []),
                              "a shell": ("run=shell", shipped_traces())}.get(
                                  title, ("run=replay", [trace]))
            due = [f"multiboot2 /boot/los-{strategy}.elf {words}",
                   *(f"module2 /boot/{name}.rep.gz {name}" for name in modules)]
            with self.subTest(entry["id"]):
                said, *started = entry["commands"].strip().splitlines()
                self.assertTrue(said.startswith(f'echo "LOS on {strategy}: {title}. '), said)
                self.assertEqual([line.strip() for line in started], due)

    def test_names_only_files_that_are_in_the_image(self):
        there = set(re.findall("^'(.*)'$", xorriso("-find", "/boot", "-type", "f"), re.MULTILINE))
        named = set(re.findall(r"^ +(?:multiboot2|module2) (\S+)", self.menu, re.MULTILINE))
        self.assertEqual(len(named), len(built_kernels()) + len(shipped_traces()))
        self.assertEqual(named - there, set())

    def test_starts_the_chosen_heaps_self_tests_by_itself(self):
        self.assertIn(f'set default="{HEAP}>{HEAP}-tests"\n', self.menu)
        self.assertIn(f'submenu "LOS on {HEAP}" --id {HEAP} {{\n', self.menu)
        self.assertIn(f"{HEAP}-tests", [entry["id"] for entry in self.entries])

    def test_is_a_script_that_grub_understands(self):
        subprocess.run(["grub-script-check"], input=self.menu, text=True, check=True)

    def test_needs_no_module_of_grub_that_is_not_in_the_image(self):
        commands = set(re.findall(r"^    ([a-z0-9]+) ", self.menu, re.MULTILINE))
        modules = {"multiboot2" if name == "module2" else name for name in commands}
        modules |= set(re.findall(r"^insmod (.*)$", self.menu, re.MULTILINE))
        for platform in ("i386-pc", "i386-efi", "x86_64-efi"):
            there = re.findall(r"/(\w+)\.mod'$", xorriso("-find", f"/boot/grub/{platform}"),
                               re.MULTILINE)
            self.assertEqual(modules - set(there), set(), platform)


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv[1])
    HEAP = sys.argv[2]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
