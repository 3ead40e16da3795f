# SPDX-License-Identifier: MIT
"""Makes los.iso: GRUB for BIOS and UEFI, every kernel, every shipped trace, and a menu of them.

The image is a hybrid: it boots from a CD and, copied byte for byte, from a USB stick.
"""

import argparse
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# GRUB's modules that the menu needs; without a list, grub-mkrescue takes all, 22 MB of them.
MODULES = "multiboot2 normal iso9660 part_msdos part_gpt all_video boot echo gzio serial terminal"
PLATFORMS = ("i386-pc", "i386-efi", "x86_64-efi")
TIMEOUT_SECONDS = 3
# A screen that the kernel cannot use keeps GRUB's last words.
WHERE_TO_LOOK = "Should nothing follow here, see the first serial port."
GRUB_LIBRARY = pathlib.Path("/usr/lib/grub")


@dataclasses.dataclass(frozen=True)
class Entry:
    """A job of a kernel: its name in the menu, what the kernel is told, and its modules."""

    name: str
    title: str
    words: str
    traces: tuple[str, ...] = ()

    def id(self, strategy: str) -> str:
        """Returns the name by which the entry can be made the default."""
        return f"{strategy}-{self.name}"

    def lines(self, strategy: str, screen: str) -> list[str]:
        """Returns the entry as GRUB reads it; screen: the mode to insist on, if any."""
        return [
            f'  menuentry "{strategy}: {self.title}" --id {self.id(strategy)} {{',
            f'    echo "LOS on {strategy}: {self.title}. {WHERE_TO_LOOK}"',
            f"    multiboot2 /boot/los-{strategy}.elf {self.words}",
            # Before, it would not hold: what the kernel's header wishes for comes in between.
            *([f"    set gfxpayload={screen}"] if screen else []),
            *(f"    module2 /boot/{trace}.rep.gz {trace}" for trace in self.traces),
            "  }",
        ]


def entries(traces: list[str]) -> list[Entry]:
    """Returns what each heap's submenu offers."""
    return [Entry("tests", "self-tests", "run=tests"),
            Entry("shell", "a shell", "run=shell", tuple(traces)),
            *(Entry(trace, f"replay {trace}", "run=replay", (trace,)) for trace in traces)]


def menu(strategies: list[str], traces: list[str], default: str, timeout: int,
         screen: str = "") -> str:
    """Returns grub.cfg: one submenu a strategy, and the default started after the timeout."""
    # An entry in a submenu is reached by its parent's name: "bitmap>bitmap-tests".
    strategy = max((s for s in strategies if default.startswith(s + "-")), key=len)
    lines = [
        f"set timeout={timeout}",
        f'set default="{strategy}>{default}"',
        "insmod all_video",
        "set gfxpayload=keep",  # no graphics mode that would wipe the screen
        "export gfxpayload",
        "insmod gzio",
    ]
    for name in strategies:
        lines.append(f'submenu "LOS on {name}" --id {name} {{')
        lines += [line for entry in entries(traces) for line in entry.lines(name, screen)]
        lines.append("}")
    return "\n".join(lines) + "\n"


def stage(root: pathlib.Path, kernels: list[pathlib.Path], traces: list[pathlib.Path],
          grub_cfg: str) -> None:
    """Lays out under root what the image is to hold; the kernels without debug information."""
    boot = root / "boot"
    (boot / "grub").mkdir(parents=True)
    (boot / "grub" / "grub.cfg").write_text(grub_cfg)
    for kernel in kernels:
        subprocess.run(["objcopy", "--strip-debug", kernel, boot / kernel.name], check=True)
    for trace in traces:
        shutil.copy(trace, boot / trace.name)


def make_image(root: pathlib.Path, output: pathlib.Path) -> None:
    """Runs grub-mkrescue; the image appears under its name only when it is whole."""
    for platform in PLATFORMS:
        if not (GRUB_LIBRARY / platform).is_dir():
            sys.exit(f"image.py: error: GRUB's files for {platform} are not in {GRUB_LIBRARY}")
    unfinished = output.with_suffix(".unfinished")
    run = subprocess.run(
        ["grub-mkrescue", f"--install-modules={MODULES}", "--fonts=", "--locales=", "--themes=",
         "--compress=xz", "-o", unfinished, root],
        capture_output=True, text=True)
    if run.returncode != 0:
        unfinished.unlink(missing_ok=True)
        sys.exit(f"image.py: error: grub-mkrescue failed:\n{run.stderr}")
    os.replace(unfinished, output)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--default", required=True, help="the entry to start, e.g. bitmap-tests")
    parser.add_argument("--timeout", type=int, default=TIMEOUT_SECONDS, help="seconds")
    parser.add_argument("--screen", default="", metavar="WIDTHxHEIGHTxBITS",
                        help="the screen to boot with (default: what the kernel wishes for)")
    parser.add_argument("--traces", type=pathlib.Path, nargs="*", default=[])
    parser.add_argument("kernels", type=pathlib.Path, nargs="+", help="los-<strategy>.elf")
    options = parser.parse_args()
    strategies = [kernel.stem.removeprefix("los-") for kernel in options.kernels]
    traces = [trace.name.removesuffix(".rep.gz") for trace in options.traces]
    ids = [entry.id(strategy) for strategy in strategies for entry in entries(traces)]
    if options.default not in ids:
        sys.exit(f"image.py: error: no menu entry {options.default}; there are: {', '.join(ids)}")
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        stage(root, options.kernels, options.traces,
              menu(strategies, traces, options.default, options.timeout, options.screen))
        make_image(root, options.output)


if __name__ == "__main__":
    main()
