/* SPDX-License-Identifier: MIT */
/* The peers include it for sbrk(), which sbrk.h provides. */
