/* SPDX-License-Identifier: MIT */
/* The peers include it for statistics, which are not compiled. */
