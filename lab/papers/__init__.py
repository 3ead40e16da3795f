# SPDX-License-Identifier: MIT
"""`heaplab papers`: what the literature published, measured again, and whether it comes out.

Each published result, or two from the same set-up, is a module of its own with three things:
`ABOUT`, what it is and where it stands; `experiments(scale)`, what is to be run for it; and
`tell(records, scale)`, which turns records into checks, words and figures. Published numbers and
tolerances are constants at the top of their module; all others come from records.
"""
