# SPDX-License-Identifier: MIT
"""Which job comes next, what a person is told about the rest, and what a failure does."""

import asyncio
import io
import unittest
from typing import Awaitable, Callable

from rich.console import Console

from lab.errors import RunError
from lab.progress import Board, duration
from lab.schedule import COUNT, SMALLEST, Job, Plan, carry_out


def job(strategy: str, operations: int, kind: str = COUNT) -> Job:
    return Job(kind, strategy, f"t{operations}", operations)


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Order(unittest.TestCase):

    def setUp(self) -> None:
        self.clock = Clock()

    def test_every_strategy_shows_its_pace_first_on_its_longest_trace(self) -> None:
        plan = Plan([job("a", 10), job("a", 90), job("b", 20), job("b", 80)], self.clock)
        self.assertEqual(plan.start_next(), job("a", 90))
        self.assertEqual(plan.start_next(), job("b", 80))

    def test_then_the_longest_job_comes_first(self) -> None:
        plan = Plan([job("slow", 1000), job("quick", 90000), job("slow", 900),
                     job("quick", 80000)], self.clock)
        first, second = plan.start_next(), plan.start_next()
        assert first and second
        self.clock.now = 100.0
        plan.finish(second if second.strategy == "slow" else first)
        self.clock.now = 101.0
        plan.finish(first if first.strategy == "quick" else second)
        self.assertEqual(plan.start_next(), job("slow", 900))
        self.assertEqual(plan.start_next(), job("quick", 80000))
        self.assertIsNone(plan.start_next())

    def test_nothing_is_run_again_before_all_else_has_run(self) -> None:
        plan = Plan([Job(COUNT, name, "t", operations, run) for run in (1, 2)
                     for name, operations in (("slow", 1000), ("quick", 1))], self.clock)
        started = [plan.start_next() for _ in range(4)]
        self.assertEqual([(one.strategy, one.run) for one in started if one],
                         [("slow", 1), ("quick", 1), ("slow", 2), ("quick", 2)])

    def test_time_left_follows_the_pace_and_the_workers(self) -> None:
        plan = Plan([job("a", 1000), job("a", 999), job("a", 998)], self.clock)
        running = plan.start_next()
        assert running
        self.clock.now = 10.4
        plan.advance(running, 0.5)
        one, two = plan.seconds_left(1), plan.seconds_left(2)
        self.assertAlmostEqual(one, 50, delta=2)
        self.assertAlmostEqual(two, 25, delta=2)
        self.assertAlmostEqual(plan.fraction(1), 10.4 / (10.4 + one), places=3)

    def test_time_left_never_grows_below_the_longest_job(self) -> None:
        plan = Plan([job("a", 1000), job("a", 10)], self.clock)
        running = plan.start_next()
        assert running
        self.clock.now = 10.4
        plan.advance(running, 0.5)
        self.assertGreater(plan.seconds_left(64), 9.9)


class Carrying(unittest.TestCase):

    def run_plan(self, jobs: list[Job], perform: Callable[[Job], Awaitable[None]],
                 workers: int = 2) -> Plan:
        plan = Plan(jobs)

        class Silent:
            def show(self, plan: Plan) -> None:
                """Nothing."""

        asyncio.run(carry_out(plan, workers, perform, Silent()))
        return plan

    def test_all_jobs_are_done_at_most_so_many_at_once(self) -> None:
        running, most, done = set(), [0], []

        async def perform(one: Job) -> None:
            running.add(one)
            most[0] = max(most[0], len(running))
            await asyncio.sleep(0.01)
            running.remove(one)
            done.append(one)

        jobs = [job(f"s{number}", 10 + number) for number in range(7)]
        plan = self.run_plan(jobs, perform, workers=3)
        self.assertEqual(sorted(map(str, done)), sorted(map(str, jobs)))
        self.assertEqual(set(plan.durations), set(jobs))
        self.assertEqual(most[0], 3)

    def test_the_first_failure_ends_the_others(self) -> None:
        ended = []

        async def perform(one: Job) -> None:
            if one.strategy == "bad":
                raise RunError("no")
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(one.strategy)

        with self.assertRaisesRegex(RunError, "^no$"):
            self.run_plan([job("bad", 1), job("good", 2), job("later", 0)], perform)
        self.assertEqual(ended, ["good"])


class Words(unittest.TestCase):

    def test_durations_are_said_as_people_say_them(self) -> None:
        self.assertEqual([duration(seconds) for seconds in (0.2, 59.4, 59.6, 125)],
                         ["1 s", "59 s", "1 min 00 s", "2 min 05 s"])

    def test_a_line_says_which_how_far_and_how_long(self) -> None:
        clock = Clock()
        plan = Plan([job("best-fit", 1000), job("best-fit", 999, SMALLEST)], clock)
        running = plan.start_next()
        assert running
        clock.now = 10.4
        plan.advance(running, 0.5)
        line = Board(Console(file=io.StringIO()), 1).line(plan)
        self.assertEqual(line, "heaplab: 0 of 2 jobs done, about 31 s left:"
                               " best-fit on t1000, counting 50%")

    def test_a_file_gets_no_bars(self) -> None:
        file = io.StringIO()
        plan = Plan([job("a", 10)])
        plan.start_next()
        with Board(Console(file=file), 1) as board:
            board.show(plan)
        self.assertEqual(file.getvalue(), "")


if __name__ == "__main__":
    unittest.main()
