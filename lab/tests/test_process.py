# SPDX-License-Identifier: MIT
"""Children and cancellations: whenever one comes, it is heard, and nobody is left behind."""

import asyncio
import os
import unittest
from unittest import mock

from lab import process
from lab.tests.support import eventually, is_alive, temporary_directory

PATIENCE_SECONDS = 20


class Cancellation(unittest.IsolatedAsyncioTestCase):

    async def assert_ends(self, task: "asyncio.Task[process.Outcome]") -> None:
        await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
        self.assertTrue(task.cancelled(), task)

    async def test_one_that_comes_together_with_output_is_heard(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(process.run(["sh", "-c", "echo up; exec sleep 600"],
                                                 clock=process.Clock(600, None)))
        feed = asyncio.StreamReader.feed_data

        def feed_and_cancel(reader: asyncio.StreamReader, data: bytes) -> None:
            feed(reader, data)
            loop.call_soon(task.cancel)

        with mock.patch.object(asyncio.StreamReader, "feed_data", feed_and_cancel):
            await self.assert_ends(task)

    async def test_one_that_comes_while_the_child_is_started_ends_it_and_its_children(self) -> None:
        directory = self.enterContext(temporary_directory())
        pids = directory / "pids"
        script = f"sleep 600 & echo $$ $! > {pids}.new; mv {pids}.new {pids}; wait"
        for steps in range(1, 8):  # of the event loop, after which it comes
            with self.subTest(steps=steps):
                task = asyncio.ensure_future(process.run(["sh", "-c", script]))
                for _ in range(steps):
                    await asyncio.sleep(0)
                eventually(pids.exists, seconds=1)  # the child goes on while the loop stands still
                task.cancel()
                await self.assert_ends(task)
                if pids.exists():
                    for pid in map(int, pids.read_text("ascii").split()):
                        self.assertTrue(eventually(lambda: not is_alive(pid)))
                    os.unlink(pids)


class Emulation(unittest.TestCase):

    def test_it_is_one_of_32_bit_programs_that_is_at_work(self) -> None:
        emulator = "interpreter /usr/bin/qemu-i386\nflags: \noffset 0\nmagic 7f454c46\n"
        for text, emulates in ((f"enabled\n{emulator}", True), (f"disabled\n{emulator}", False),
                               (f"enabled\n{emulator}".replace("i386\n", "i386-static\n"), True),
                               ("enabled\ninterpreter /usr/bin/qemu-arm\n", False),
                               ("enabled", False), ("", False), (None, False)):
            with self.subTest(text), temporary_directory() as formats, \
                    mock.patch.object(process, "_BINARY_FORMATS", formats):
                if text is not None:
                    (formats / "qemu-i386").write_text(text, "utf-8")
                (formats / "register").mkdir()  # as unreadable as Linux's own
                self.assertEqual(process.emulates_32_bit(), emulates)


if __name__ == "__main__":
    unittest.main()
