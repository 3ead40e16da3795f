/* SPDX-License-Identifier: MIT */
/* The last word of a program that a sanitizer ends. */
#ifndef TESTS_FAULT_H
#define TESTS_FAULT_H

/*
 * A function that a signal calls. QEMU 7.2 aligns the stack of an emulated program's handler to 8
 * bytes, not as the ABI has it, and AddressSanitizer then takes the handler's own variables for what
 * must not be touched.
 */
#define CALLED_BY_SIGNAL __attribute__((force_align_arg_pointer))

/*
 * Has tell() called when a sanitizer has said its own, on standard error, and before the
 * program ends. AddressSanitizer asks for it; UndefinedBehaviorSanitizer, which is a library
 * of its own with gcc, can only be made to abort.
 */
void fault_call(void (*tell)(void));

#endif
