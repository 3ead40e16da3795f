/* SPDX-License-Identifier: MIT */
/* The last word of a program that a sanitizer ends. */
#ifndef TESTS_FAULT_H
#define TESTS_FAULT_H

/*
 * Has tell() called when a sanitizer has said its own, on standard error, and before the
 * program ends. AddressSanitizer asks for it; UndefinedBehaviorSanitizer, which is a library
 * of its own with gcc, can only be made to abort.
 */
void fault_call(void (*tell)(void));

#endif
