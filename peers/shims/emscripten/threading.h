/* SPDX-License-Identifier: MIT */
/* emmalloc includes it for its lock, which is not compiled. */
