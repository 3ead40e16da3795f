/* SPDX-License-Identifier: MIT */
/* What the kernel needs of a processor beyond an i486. */
#ifndef ARCH_X86_FEATURES_H
#define ARCH_X86_FEATURES_H

/*
 * Ends with an error that names what is missing, if anything is.
 * Requires: nothing but code that was compiled for an i486 has run; serial_init() and
 * screen_init() were called.
 */
void features_require(void);

#endif
