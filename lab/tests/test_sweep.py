# SPDX-License-Identifier: MIT
"""sweep: what it refuses, what it computes once and no more, and what survives a kill.

Kernels are stand-ins, but for the last class.
"""

import contextlib
import io
import json
import os
import re
import resource
import signal
import subprocess
import unittest
from pathlib import Path
from typing import Any, Callable, Optional
from unittest import mock

from matplotlib.figure import Figure

from lab import results, table
from lab.errors import InputError
from lab.heaps import Care
from lab.sweep import chart, grid, tables
from lab.sweep.store import Store
from lab.tests import sweep_stand_in
from lab.tests.support import (TRACE_TEXT, children_of, document as comparison, eventually, said,
                               schema_complaints, programs_missing, temporary_directory)


def processes_that_name(directory: Path) -> list[int]:
    """All processes on whose command line `directory` stands, but the caller."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.fsencode(directory) in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]


class Swept(unittest.TestCase):
    """A directory with stand-ins, and sweeps in it."""

    def setUp(self) -> None:
        self.place = self.enterContext(temporary_directory())
        self.traces = sweep_stand_in.install(self.place, 2)
        self.out = self.place / "out"

    def sweep(self, *arguments: str, out: Optional[Path] = None,
              before: Optional[Callable[[], None]] = None,
              **environment: str) -> subprocess.Popen[str]:
        started = sweep_stand_in.start(self.place, *arguments, "--out", str(out or self.out),
                                       before=before, **environment)
        self.addCleanup(started.communicate)
        self.addCleanup(started.kill)
        return started

    def finish(self, *arguments: str, **keywords: Any) -> tuple[int, str, str]:
        return sweep_stand_in.finish(self.sweep(*arguments, **keywords))

    def succeed(self, *arguments: str, **keywords: Any) -> dict[str, Any]:
        """Sweep; returns what is written, but for where and when that was."""
        status, out, err = self.finish(*arguments, **keywords)
        self.assertEqual(status, 0, err)
        return self.written(keywords.get("out"))

    def written(self, out: Optional[Path] = None) -> dict[str, Any]:
        made = json.loads(((out or self.out) / "sweep.json").read_text("utf-8"))
        del made["host"]
        return dict(made)

    def boots(self) -> int:
        return len((self.place / "boots").read_text("ascii").splitlines())

    def results(self, out: Optional[Path] = None) -> dict[str, tuple[int, int]]:
        """The results that are there, each with what would change if it were written again."""
        return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns)
                for path in ((out or self.out) / "results").glob("[!.]*.json")}


class WhatIsAskedFor(unittest.TestCase):

    def setUp(self) -> None:
        self.place = self.enterContext(temporary_directory())
        self.enterContext(contextlib.chdir(self.place))
        Path("good.rep").write_text(TRACE_TEXT, "ascii")
        self.enterContext(mock.patch.object(grid, "known_strategies", lambda: ["bitmap", "tlsf"]))
        self.enterContext(mock.patch.object(grid, "known_peers", lambda: []))
        self.enterContext(mock.patch("lab.build.Build", side_effect=AssertionError))

    def refusal(self, *arguments: str) -> str:
        before = sorted(self.place.rglob("*"))
        status, out, err = said("sweep", "--traces", "good.rep", *arguments)
        self.assertEqual((status, out), (2, ""))
        self.assertEqual(sorted(self.place.rglob("*")), before)
        return err

    def test_sizes_double_from_one_bound_to_the_other(self) -> None:
        for text, sizes in (("256..2048", [256, 512, 1024, 2048]), ("64,100", [64, 100]),
                            ("100..300", [100, 200, 300]), ("64..128,96,64", [64, 96, 128]),
                            ("512", [512]), ("512..512", [512])):
            self.assertEqual(grid.sizes(text), sizes, text)

    def test_a_size_that_is_none_is_told(self) -> None:
        for text in ("63", "256..65537", "256..", "..256", "a", "", "256,,512", "1e3"):
            with self.assertRaisesRegex(InputError, r"^--heap-kib .*: a heap's size is a number of"
                                        " KiB from 64 to 65536; several are"):
                grid.sizes(text)
        self.assertEqual(self.refusal("--heap-kib", "512..256"),
                         "heaplab: error: --heap-kib 512..256: 256 is less than 512\n")

    def test_unknown_names_are_told_with_those_there_are(self) -> None:
        self.assertEqual(self.refusal("--strategies", "bitmap,none"),
                         "heaplab: error: there is no strategy 'none'; choose from: bitmap, tlsf\n")
        self.assertRegex(self.refusal("--workloads", "churn"),
                         r"\Aheaplab: error: there is no workload 'churn'; there are: .*\n\Z")
        self.assertEqual(self.refusal("--locking", "none,tight"),
                         "heaplab: error: there is no locking 'tight'; choose from: none, irq,"
                         " spin, percpu\n")
        self.assertEqual(self.refusal("--hardening", "off,hard"),
                         "heaplab: error: there is no hardening level 'hard'; choose from:"
                         " off, check, redzone, full\n")

    def test_what_does_not_go_together_is_told(self) -> None:
        self.assertEqual(self.refusal("--seeds", "3"),
                         "heaplab: error: --seeds goes with --workloads: a recorded trace has no"
                         " seed\n")
        self.assertEqual(self.refusal("--batch", "3"),
                         "heaplab: error: --batch goes with --engine slurm\n")

    def test_there_must_be_something_to_resume(self) -> None:
        status, _, err = said("sweep", "--resume", "--out", "nowhere")
        self.assertEqual((status, err),
                         (2, "heaplab: error: nowhere: there is no sweep to resume\n"))
        self.assertFalse(Path("nowhere").exists())

    def test_a_place_that_cannot_be_written_is_told(self) -> None:
        self.assertEqual(self.refusal("--out", "good.rep"),
                         f"heaplab: error: {self.place}/good.rep/sweep.json: cannot be written:"
                         f" {self.place}/good.rep is not a directory\n")

    def test_a_slurm_that_is_not_there_is_told(self) -> None:
        with mock.patch.dict(os.environ, PATH=str(self.place)):
            self.assertEqual(
                self.refusal("--engine", "slurm"),
                "heaplab: error: --engine slurm: there is no sbatch, no squeue, no scancel, no"
                " scontrol here; Debian's package slurm-client brings them; or use --engine"
                " local\n")

    def test_a_slurm_that_does_not_answer_is_told(self) -> None:
        for name in ("sbatch", "squeue", "scancel", "scontrol"):
            sweep_stand_in.script(self.place / name, "#!/bin/sh\necho 'no controller' >&2; exit 1")
        with mock.patch.dict(os.environ, PATH=str(self.place)):
            self.assertEqual(self.refusal("--engine", "slurm"),
                             "heaplab: error: --engine slurm: no Slurm controller answers: no"
                             " controller\n")


class OnceAndNoMore(Swept):

    def test_a_sweep_done_is_not_begun_again_by_mistake(self) -> None:
        self.succeed("--heap-kib", "64", "--traces", self.traces[0])
        status, out, err = self.finish("--heap-kib", "64", "--traces", self.traces[0])
        self.assertEqual((status, out, err), (
            2, "", f"heaplab: error: {self.out}: there is a sweep already; --resume goes on with"
            " it, --out names another directory\n"))

    def test_a_grid_that_cannot_be_read_leaves_a_way_to_go_on(self) -> None:
        arguments = ("--heap-kib", "64", "--traces", self.traces[0])
        first = self.succeed(*arguments)
        boots = self.boots()
        for text in ("{", "[1]", '{"colour": "blue"}', '{"heap_kib": 64}', '{"seeds": "2"}',
                     '{"traces": "linux-boot"}', '{"samples": true}'):
            (self.out / "grid.json").write_text(text, "ascii")
            for asked in (("--resume",), arguments):
                self.assertEqual(self.finish(*asked), (
                    2, "", f"heaplab: error: {self.out}: there is a sweep, but its grid.json cannot"
                    " be read; --resume with the options that it had (--heap-kib 256..4096 if it"
                    " had none) goes on with its results\n"))
        self.assertEqual(self.succeed("--resume", *arguments), first)
        self.assertEqual(self.succeed("--resume"), first)
        self.assertEqual(self.boots(), boots)

    def test_only_what_an_earlier_sweep_did_is_said_to_be_done_before(self) -> None:
        arguments = ("--workloads", "churn-small-50", "--traces", self.traces[0])
        self.assertEqual(self.jobs(*arguments, "--heap-kib", "64"),
                         ["heaplab: 2 preparations", "heaplab: 9 jobs"])
        self.assertEqual(self.jobs(*arguments, "--heap-kib", "64,128", "--resume"),
                         ["heaplab: 3 preparations, 2 of them done before",
                          "heaplab: 15 jobs, 9 of them done before"])

    def jobs(self, *arguments: str) -> list[str]:
        """What a sweep says of what it has to do."""
        status, _, err = self.finish(*arguments)
        self.assertEqual(status, 0, err)
        return [line for line in err.splitlines() if re.match(r"heaplab: \d+ (?!of )", line)]

    def test_resuming_what_is_done_boots_nothing_and_writes_the_same(self) -> None:
        first = self.succeed("--heap-kib", "64,128", "--traces", *self.traces)
        boots, files = self.boots(), self.results()
        self.assertEqual(self.succeed("--resume"), first)
        self.assertEqual((self.boots(), self.results()), (boots, files))

    def test_another_grid_takes_over_what_is_there(self) -> None:
        self.succeed("--heap-kib", "64", "--traces", self.traces[0])
        boots, files = self.boots(), self.results()
        larger = self.succeed("--resume", "--heap-kib", "64,128", "--traces", *self.traces)
        # 2 strategies at 2 sizes on 2 traces, of which 2 were there.
        self.assertEqual(self.boots(), boots + 6)
        self.assertEqual(files.items() - self.results().items(), set())
        self.assertEqual(larger, self.succeed("--heap-kib", "64,128", "--traces", *self.traces,
                                              out=self.place / "afresh"))

    def test_what_was_drawn_of_another_grid_does_not_stay(self) -> None:
        self.succeed("--heap-kib", "64,128", "--traces", *self.traces)
        self.succeed("--resume", "--heap-kib", "128,256", "--traces", self.traces[0])
        self.assertEqual(sorted(path.name for folder in ("curves", "sizes")
                                for path in (self.out / folder).iterdir()),
                         ["128-kib.json", "256-kib.json", "cost-t0.svg", "tightness-t0.svg"])

    def test_a_search_serves_all_sizes_but_for_a_workload(self) -> None:
        self.succeed("--heap-kib", "64,128,256", "--traces", self.traces[0])
        # The check, 6 counts, and a search for each strategy.
        self.assertEqual(len(self.results()), 1 + 6 + 2)
        self.succeed("--resume", "--heap-kib", "64,128,256", "--workloads", "churn-small-50",
                     "--traces", self.traces[0])
        self.assertEqual(len(self.results()), 1 + 6 + 2 + 3 + 6 + 6)

    def test_another_kernel_is_another_job(self) -> None:
        first = self.succeed("--heap-kib", "64", "--traces", self.traces[0],
                             "--strategies", "tlsf")
        boots = self.boots()
        self.succeed("--resume", "--heap-kib", "64", "--hardening", "check", "--traces",
                     self.traces[0], "--strategies", "tlsf")
        self.assertEqual(self.boots(), boots + 3)  # its check, on the machine that is checked, too
        self.assertEqual(first["records"][0]["hardening"], "off")

    def test_two_sweeps_do_not_work_in_one_directory(self) -> None:
        with Store(self.out).locked():
            status, _, err = self.finish("--heap-kib", "64", "--traces", self.traces[0])
        self.assertEqual((status, err), (
            2, f"heaplab: error: {self.out}: another sweep is at work here\n"))


class Failures(Swept):

    def test_a_kernel_that_panics_is_tried_again_told_and_the_others_kept(self) -> None:
        (self.place / "panic").write_text("tlsf", "ascii")
        status, out, err = self.finish("--heap-kib", "64", "--traces", *self.traces,
                                       "--jobs", "2")
        self.assertEqual((status, out), (1, ""))
        self.assertRegex(err, r"(?m)^heaplab: error: 2 jobs of 9 failed 3 times, the others are"
                         r" done, and kept; the first: tlsf on t[01], 64 KiB, counting: the kernel"
                         r" panicked \(panic: on purpose\); the end of its log:$")
        self.assertFalse((self.out / "sweep.json").exists())
        boots = self.boots()
        (self.place / "panic").unlink()
        self.succeed("--resume")
        self.assertEqual(self.boots(), boots + 2)

    def test_a_disk_that_fills_up_is_one_line_and_nothing_is_half_written(self) -> None:
        limit = 30_000

        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        arguments = ("--heap-kib", "64", "--traces", self.traces[0], "--samples", "0")
        status, out, err = self.finish(*arguments, before=limited, SWEEP_PAD="60000")
        self.assertEqual((status, out), (1, ""))
        self.assertRegex(err.splitlines()[-1], rf"^heaplab: error: {self.out}/results/\S+: cannot"
                         " be written: File too large$")
        self.assertEqual([path for path in self.out.rglob("*") if path.name.endswith(".tmp")], [])
        self.assertFalse(self.results())
        self.succeed("--resume", SWEEP_PAD="60000")

    def test_a_machine_that_counts_differently_is_refused(self) -> None:
        self.succeed("--heap-kib", "64", "--traces", self.traces[0])
        for node in (self.out / "nodes").iterdir():
            node.unlink()
        (self.place / "wrong").touch()
        status, _, err = self.finish("--resume", "--heap-kib", "64", "--traces", *self.traces,
                                     SLURM_JOB_ID="1", SLURMD_NODENAME="n7")
        self.assertEqual(status, 1)
        self.assertRegex(err.splitlines()[-1], r"^heaplab: error: n7 counts differently: init_cost"
                         r" of the check is 77777, not \d+$")


class Kills(Swept):

    GRID = ("--workloads", "churn-small-50", "--seeds", "250", "--heap-kib", "64", "--samples",
            "0")
    JOBS = 1000

    def wait_for_results(self, number: int) -> None:
        self.assertTrue(eventually(lambda: len(self.results()) >= number, 300),
                        f"only {len(self.results())} results")

    def test_a_thousand_jobs_survive_kills_of_workers_and_of_the_sweep(self) -> None:
        due = self.succeed(*self.GRID, out=self.place / "undisturbed")
        self.assertEqual(len(due["records"]) * 2, self.JOBS)
        sweep = self.sweep(*self.GRID)
        for number in (300, 450):
            self.kill_workers(sweep, number)
        self.wait_for_results(600)
        self.assertIsNone(sweep.poll(), "the sweep ended before it was killed")
        sweep.kill()
        sweep.wait()
        self.assertTrue(eventually(lambda: not processes_that_name(self.place)),
                        "the killed sweep left processes at work")
        kept = self.results()
        self.assertFalse((self.out / "sweep.json").exists())
        sweep = self.sweep("--resume")
        for number in (750, 900, 1050):
            self.kill_workers(sweep, number)
        status, _, err = sweep_stand_in.finish(sweep)
        self.assertEqual(status, 0, err)
        self.assertEqual(self.written(), due)
        self.assertEqual(kept.items() - self.results().items(), set(),
                         "what was there was computed again")
        self.assertEqual(set(self.results()), set(self.results(self.place / "undisturbed")))

    def kill_workers(self, sweep: "subprocess.Popen[str]", number: int) -> None:
        """Kill all workers of a sweep that has so many results."""
        self.wait_for_results(number)
        for pid in children_of(sweep.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def test_an_interrupted_sweep_leaves_nothing_running_and_says_so(self) -> None:
        sweep = self.sweep(*self.GRID)
        self.wait_for_results(20)
        sweep.send_signal(signal.SIGTERM)
        status, out, err = sweep_stand_in.finish(sweep)
        self.assertEqual((status, out), (128 + signal.SIGTERM, ""))
        self.assertEqual(err.splitlines()[-1],
                         "heaplab: ended by SIGTERM; earlier results are as they were")
        self.assertTrue(eventually(lambda: not processes_that_name(self.place)))


class Merged(Swept):

    def test_each_size_is_the_document_of_a_comparison(self) -> None:
        self.succeed("--heap-kib", "64,128", "--traces", *self.traces, "--workloads",
                     "churn-small-50", "--seeds", "2", "--hardening", "off,check", "--locking",
                     "none,spin", "--pages")
        made = sorted(path.name for path in (self.out / "sizes").iterdir())
        self.assertEqual(made, sorted(
            f"{kib}-kib{care}.{kind}" for kib in (64, 128)
            for care in ("", "-check", "-spin", "-check-spin") for kind in ("json", "html")))
        for path in (self.out / "sizes").glob("*.json"):
            one = json.loads(path.read_text("utf-8"))
            self.assertEqual(len(one["records"]), 2 * 3)
            self.assertEqual(schema_complaints(one), [])

    def test_each_lock_has_its_own_records_tables_and_curves(self) -> None:
        whole = self.succeed("--heap-kib", "64,128", "--traces", self.traces[0], "--strategies",
                             "tlsf", "--locking", "spin,none")
        self.assertEqual(whole["settings"]["locking"], ["none", "spin"])
        self.assertEqual([one["locking"] for one in whole["records"]], ["none"] * 2 + ["spin"] * 2)
        self.assertEqual(sorted(whole["build"]), ["tlsf", "tlsf+spin"])
        self.assertEqual([one.title for one in tables.of_traces(whole, ["t0"], "t0")],
                         [f"t0, locking {lock}: {figure}" for lock in ("none", "spin")
                          for figure in ("mean cost", "tightness")])
        self.assertEqual(sorted(path.name for path in (self.out / "curves").iterdir()),
                         ["cost-t0-spin.svg", "cost-t0.svg", "tightness-t0-spin.svg",
                          "tightness-t0.svg"])

    def test_of_one_size_the_page_has_tables_and_no_curves(self) -> None:
        self.succeed("--heap-kib", "64", "--traces", *self.traces, "--workloads",
                     "churn-small-50,churn-kernel-50")
        page = (self.out / "sweep.html").read_text("utf-8")
        self.assertIn("kernel heaps, at 64 KiB</h1>", page)
        self.assertEqual(re.findall("<h2>(.*)</h2>", page),
                         ["traces", "workloads"])
        self.assertNotIn("<svg", page)
        self.assertFalse((self.out / "curves").exists())

    def test_curves_have_a_band_over_seeds_and_hollow_marks_for_failures(self) -> None:
        made = self.made_up(seeds=(1, 2), failures=0)
        picture = chart.cost(made, "one", Care())
        self.assertIn("<svg", picture)
        self.assertEqual(picture, chart.cost(made, "one", Care()), "it differs from run to run")
        failing = chart.cost(self.made_up(seeds=(1, 2), failures=3), "one", Care())
        self.assertNotEqual(picture, failing)

    def test_a_legend_is_no_wider_than_its_picture(self) -> None:
        drawn: list[Figure] = []
        made = self.made_up(seeds=(1, 2), failures=3)
        for strategies in (["bitmap"], ["bitmap", "next-fit"], ["bitmap", "next-fit", "tlsf"]):
            made["settings"]["strategies"] = strategies
            with mock.patch.object(chart, "svg", side_effect=drawn.append):
                chart.cost(made, "one", Care())
            drawn[-1].draw_without_rendering()
            legend = drawn[-1].legends[0].get_window_extent()
            self.assertGreaterEqual(legend.x0, 0, strategies)

    def made_up(self, seeds: tuple[int, ...], failures: int) -> results.Document:
        base = comparison(traces=("one",), failures=failures)
        return {
            "settings": {"strategies": ["bitmap", "next-fit"], "traces": [], "workloads": ["one"],
                         "seeds": len(seeds), "heap_kib": [64, 128], "hardening": ["off"],
                         "locking": ["none"],
                         "operations_limit": None, "unit": "instructions"},
            "records": [one | {"seed": seed, "heap_kib": kib, "cost": one["cost"] | {
                "mean": one["cost"]["mean"] * seed, "total": one["cost"]["total"] * seed}}
                for one in base["records"] for seed in seeds for kib in (64, 128)],
        }

    def test_the_spread_is_the_share_between_lowest_and_highest_seed(self) -> None:
        made = self.made_up(seeds=(1, 3), failures=0)
        shown = tables.of_traces(made, ["one"], "one")
        self.assertEqual([one.title for one in shown], [
            "one: mean cost", "one: tightness", "one: spread of the mean cost",
            "one: spread of the tightness"])
        # Means m and 3 m: their mean is 2 m, the spread 2 m.
        self.assertEqual([[cell.text for cell in cells] for _, cells in shown[2].rows],
                         [["100.0", "100.0"]] * 2)
        mean = made["records"][0]["cost"]["mean"]
        self.assertEqual(shown[0].rows[0][1][0].text, f"{mean * 2:,.1f}")

    def test_the_spread_of_the_tightness_is_told_as_well(self) -> None:
        made = self.made_up(seeds=(1, 3), failures=0)
        for one in made["records"]:
            one["tightness"] = {1: 0.5, 3: 0.6}[one["seed"]] if one["heap_kib"] == 64 else None
        shown = tables.of_traces(made, ["one"], "one")[-1]
        self.assertEqual([[cell.text for cell in cells] for _, cells in shown.rows],
                         [["18.2", "-"]] * 2)

    def test_at_one_size_each_trace_has_a_column(self) -> None:
        made = self.made_up(seeds=(1, 3), failures=0)
        made["settings"]["heap_kib"] = [64]
        made["records"] = [one | {"trace": name, "tightness": tightness}
                           for name, tightness in (("churn-a-50", 0.75), ("churn-b-50", 0.25))
                           for one in made["records"] if one["heap_kib"] == 64]
        shown = tables.of_traces(made, ["churn-a-50", "churn-b-50"], "workloads")
        self.assertEqual([one.title for one in shown], [
            "workloads, 64 KiB: mean cost", "workloads, 64 KiB: tightness",
            "workloads, 64 KiB: spread of the mean cost",
            "workloads, 64 KiB: spread of the tightness"])
        self.assertEqual(shown[1].columns, ["strategy", "churn\na\n50", "churn\nb\n50"])
        self.assertEqual([[cell.text for cell in cells] for _, cells in shown[1].rows],
                         [["0.7500", "0.2500"]] * 2)

    def test_a_trace_that_is_called_strategy_is_a_column(self) -> None:
        made = self.made_up(seeds=(1,), failures=0)
        made["settings"]["heap_kib"] = [64]
        made["records"] = [one | {"trace": name, "seed": None} for name in ("one", "strategy")
                           for one in made["records"] if one["heap_kib"] == 64]
        shown = tables.of_traces(made, ["one", "strategy"], "traces")
        self.assertEqual([name for name, _ in shown[0].rows], ["bitmap", "next-fit"])
        self.assertEqual(shown[0].columns, ["strategy", "one", "strategy"])
        self.assertEqual(shown[1].note, "in the smallest total memory that does")

    def test_a_limit_is_told_for_what_it_limits(self) -> None:
        made = self.made_up(seeds=(1,), failures=0)
        made["settings"]["operations_limit"] = 50
        self.assertIn("but of what fills the heap all", tables.legend(made)[0])
        made["settings"]["workloads"] = []
        self.assertEqual(tables.legend(made)[0],
                         "Only the first 50 operations of each trace were replayed.")

    def test_many_sizes_make_several_tables_none_too_wide(self) -> None:
        made = self.made_up(seeds=(1,), failures=0)
        made["settings"]["heap_kib"] = sizes = [64 * n for n in range(1, 12)]
        made["records"] = [one | {"heap_kib": kib} for one in made["records"][::2]
                           for kib in sizes if one["heap_kib"] == 64]
        shown = tables.of_traces(made, ["one"], "one")
        self.assertEqual([len(one.columns) - 1 for one in shown], [8, 3, 8, 3])
        out = io.StringIO()
        table.show_all(shown, tables.legend(made), out)
        self.assertLessEqual(max(map(len, out.getvalue().splitlines())), 100)


@unittest.skipIf(programs_missing(), programs_missing())
class RealKernels(unittest.TestCase):
    """On real kernels in a real QEMU; built in LAB_BUILD_ROOT, or in build/lab."""

    def setUp(self) -> None:
        self.place = self.enterContext(temporary_directory())
        self.enterContext(contextlib.chdir(self.place))
        Path("tiny.rep").write_text(TRACE_TEXT, "ascii")

    def succeed(self, *arguments: str) -> None:
        status, _, err = said(*arguments)
        self.assertEqual(status, 0, err)

    def test_a_size_of_a_sweep_says_what_compare_says(self) -> None:
        grid_ = ("--strategies", "bitmap,tlsf", "--traces", "tiny.rep", "--workloads",
                 "fill-large,holes-9", "--samples", "8")
        self.succeed("sweep", *grid_, "--heap-kib", "128,256", "--out", "out")
        self.succeed("compare", *grid_, "--heap-kib", "256", "--json", "compare.json", "--html",
                     "compare.html")
        ours, theirs = (json.loads(Path(name).read_text("utf-8"))
                        for name in ("out/sizes/256-kib.json", "compare.json"))
        for one in (ours, theirs):
            del one["host"], one["build"]
        self.assertEqual(ours, theirs)
