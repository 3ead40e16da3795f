# SPDX-License-Identifier: MIT
"""The pictures: what they show, and that they are the same every time."""

from __future__ import annotations

import colorsys
import io
import itertools
import unittest
import warnings
from typing import Callable, Optional
from unittest import mock
from xml.etree import ElementTree

from matplotlib.axes import Axes
from PIL import Image

from lab import figures, outputs, overtime, pictures, portrait, results, tradeoff
from lab.results import Document
from lab.tests.support import changed, document, raw_record, trace
from lab.tradeoff import Point

_NOTHING = {"operations": 0, "total": 0, "mean": None, "p50": None, "p99": None, "p999": None,
            "max": None, "max_operation": None}


def _unsampled() -> Document:
    made = document()
    for one in made["records"]:
        one |= {"series": {name: [] for name in results.SERIES}, "portrait": []}
    return made


def _sampled_once() -> Document:
    made = document()
    for one in made["records"]:
        one |= {"series": {name: values[:1] for name, values in one["series"].items()},
                "portrait": ["1m", "1r", "1w", "1h"]}
    return made


class Files(unittest.TestCase):

    def test_they_are_svg_and_the_same_every_time(self) -> None:
        first, second = (pictures.all_of(document()) for _ in range(2))
        self.assertEqual(tuple(first), outputs.PICTURES)
        for name, svg in first.items():
            with self.subTest(name):
                self.assertEqual(ElementTree.fromstring(svg).tag,
                                 "{http://www.w3.org/2000/svg}svg")
                self.assertEqual(svg, second[name])

    def test_a_trace_may_be_called_as_one_likes(self) -> None:
        drawn = pictures.all_of(document(traces=(r"a$\x$b", "two")))
        self.assertIn(r"a$\x$b", drawn["cost"])

    def test_without_samples_there_are_none_over_time(self) -> None:
        self.assertEqual(list(pictures.all_of(_unsampled())), ["cost", "tradeoff"])

    def test_a_single_sample_is_drawn_without_a_warning(self) -> None:
        made = _sampled_once()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertEqual(tuple(pictures.all_of(made)), outputs.PICTURES)
            for draw in (overtime.memory, overtime.portraits):
                self.assertTrue(draw(made, "one"))

    def test_what_was_never_counted_is_drawn_as_nothing(self) -> None:
        made = changed(document(), "bitmap", cost=_NOTHING, tightness=None)
        self.assertTrue(figures.cost(made))
        self.assertTrue(tradeoff.chart(made))
        self.assertTrue(tradeoff.chart(changed(made, "next-fit", tightness=None)))


def _point(name: str, mean: float, worst: float, tightness: float, competes: bool = True) -> Point:
    return Point(name, mean, worst, tightness, competes)


class Tradeoff(unittest.TestCase):

    POINTS = (_point("fast", 10, 900, 0.5), _point("both", 20, 500, 0.8),
              _point("tight", 90, 800, 0.9), _point("beaten", 30, 600, 0.8),
              _point("calm", 95, 100, 0.7), _point("refusing", 1, 1, 1, competes=False))

    def names(self, of: list[Point]) -> list[str]:
        return [one.strategy for one in of]

    def test_the_front_goes_from_fast_to_tight_over_whatever_is_unbeaten(self) -> None:
        for order in itertools.permutations(self.POINTS):
            self.assertEqual(self.names(tradeoff.front(order)), ["fast", "both", "tight"])

    def test_equals_in_speed_are_beaten_by_the_tighter(self) -> None:
        same = [_point("loose", 10, 9, 0.5), _point("tight", 10, 9, 0.6)]
        self.assertEqual(self.names(tradeoff.front(same)), ["tight"])

    def test_a_short_worst_case_can_be_unbeaten_behind_the_front(self) -> None:
        self.assertEqual(self.names(tradeoff.unbeaten(self.POINTS)),
                         ["fast", "both", "tight", "calm"])

    def test_twins_do_not_beat_each_other(self) -> None:
        twins = [_point("one", 10, 9, 0.5), _point("two", 10, 9, 0.5)]
        self.assertEqual(self.names(tradeoff.unbeaten(twins)), ["one", "two"])

    def test_points_are_the_totals_of_heaps_that_have_a_place(self) -> None:
        made = changed(document(strategies=("a", "b", "c")), "b", failures=1)
        made = changed(made, "c", tightness=None)
        self.assertEqual(tradeoff.points(made), [
            Point("a", 602 / 6, 170, round(200 / 600, 4), True),
            Point("b", 1202 / 6, 340, round(200 / 601, 4), False)])


def _lightness(colour: str) -> float:
    """How light a grey print shows a colour, from 0 to 1."""
    red, green, blue = bytes.fromhex(colour[1:])
    return colorsys.rgb_to_yiq(red / 255, green / 255, blue / 255)[0]


class OverTime(unittest.TestCase):
    """One trace, a panel for each heap."""

    def panels(self, draw: Callable[[Document, str], str]) -> list[Axes]:
        with mock.patch.object(overtime, "svg") as svg:
            draw(document(strategies=("a", "b", "c"), hardening=("off", "full")), "one")
        return [axes for axes in svg.call_args.args[0].axes if axes.get_visible()]

    def test_each_heap_has_a_panel_and_all_have_the_same_axes(self) -> None:
        for draw in (overtime.memory, overtime.portraits):
            with self.subTest(draw.__name__):
                panels = self.panels(draw)
                self.assertEqual([axes.get_title("left") for axes in panels],
                                 ["a", "a+full", "b", "b+full", "c", "c+full"])
                self.assertEqual(len({(axes.get_xlim(), axes.get_ylim()) for axes in panels}), 1)

    def test_memory_shows_what_is_requested_granted_and_free_and_the_largest_hole(self) -> None:
        panel = self.panels(overtime.memory)[-1]
        series = document(strategies=("a", "b", "c"), hardening=("off", "full"))
        (one,) = (one for one in series["records"] if (one["strategy"], one["hardening"],
                                                       one["trace"]) == ("c", "full", "one"))
        shown = {line.get_label(): [y * 1024 for y in line.get_ydata()] for line in panel.lines}
        self.assertEqual(shown, {"granted": one["series"]["granted"],
                                 "free": one["series"]["free"],
                                 "largest hole": one["series"]["largest"]})
        self.assertEqual([area.get_label() for area in panel.collections], ["requested"])

    def test_lines_differ_without_their_colours(self) -> None:
        styles = [line._unscaled_dash_pattern for line in self.panels(overtime.memory)[0].lines]
        self.assertEqual(len(set(map(str, styles))), 3)

    def test_they_are_the_same_every_time(self) -> None:
        for draw in (overtime.memory, overtime.portraits):
            self.assertEqual(draw(document(), "one"), draw(document(), "one"))


class Portrait(unittest.TestCase):

    def image(self, made: Optional[Document] = None) -> Image.Image:
        (one, *_) = (made or document())["records"]
        return Image.open(io.BytesIO(portrait.png(one))).convert("RGB")

    def test_each_cell_and_sample_is_a_pixel_of_its_states_colour(self) -> None:
        image = self.image()
        self.assertEqual(image.size, (2, 4))
        letter = {tuple(bytes.fromhex(state.colour[1:])): state.letter
                  for state in portrait.STATES}
        shown = ["".join(letter[image.getpixel((x, y))] for x in range(2)) for y in range(4)]
        self.assertEqual(shown, ["mm", "nr", "ww", "ch"])

    def test_every_state_of_a_kernel_has_a_colour(self) -> None:
        self.assertEqual(sorted(state.letter for state in portrait.STATES),
                         sorted(results.PORTRAIT_STATES))

    def test_a_grey_print_tells_what_is_taken_what_was_and_what_never(self) -> None:
        grey = {state.letter: _lightness(state.colour) for state in portrait.STATES}
        levels = [grey["m"], grey["r"], grey["w"], min(grey["h"], grey["c"]), grey["n"]]
        for darker, lighter in itertools.pairwise(levels):
            self.assertGreater(lighter - darker, 0.12)

    def test_a_long_portrait_stays_small(self) -> None:
        rows = [f"{1 + cell % 199}n{200 - cell % 199}h56r" for cell in range(256)]
        series = {name: list(range(257)) for name in results.SERIES}
        raw = raw_record() | {"portrait": rows, "series": series}
        results.check_kernel_record(raw)
        one = results.record(raw, trace(), 600, 200, None)
        self.assertLess(len(portrait.png(one)), 8000)


if __name__ == "__main__":
    unittest.main()
