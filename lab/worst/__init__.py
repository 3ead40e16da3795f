# SPDX-License-Identifier: MIT
"""`heaplab worst`: the trace that hurts a heap most, searched for, found and made small.

Three questions are put to each heap (`goals`): the dearest kmalloc, the dearest kfree, and the
most memory for what is live. Traces made up at random and the adversaries of the literature
(`adversaries`) are varied (`variation`) and measured (`measure`), the worst go on (`search`),
and of the worst of all everything is left away that it does not need (`minimise`). What the
theory allows at most is in `bounds`; what was found, in `records`.
"""
