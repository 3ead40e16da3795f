# SPDX-License-Identifier: MIT
"""The film: a trace on some heaps, to step through.

- `film`: what a kernel notes down of each operation, held against its record;
- `page`: the film as a page, with its player (templates/film);
- `options`, `command`: `heaplab play`.
"""
