# SPDX-License-Identifier: MIT
"""Where traces come from: recordings of programs and kernels, and files that others recorded."""
