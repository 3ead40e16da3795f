/* SPDX-License-Identifier: MIT */
/*
 * What the kernel asks of the machine it runs on. arch/x86 is a PC; arch/host is an
 * ordinary Linux process, in which the same kernel code is tested.
 */
#ifndef KERNEL_MACHINE_H
#define KERNEL_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* How a job ended; docs/runner.md gives the exit status each becomes. */
enum machine_status { MACHINE_DONE, MACHINE_FAILED, MACHINE_PANICKED };

/* Ends QEMU or the process; on a PC, halts. */
__attribute__((noreturn)) void machine_stop(enum machine_status status);

/* One character to the serial line: what programs read. */
void machine_serial_put(char character);

/* One character to the screen, if there is one: what people read. */
void machine_screen_put(char character);

/* Bytes out of the way of both, for bulk results; they may go nowhere. */
void machine_bulk_put(const void *bytes, uint32_t count);

/* Waits for a key and returns it: of enum key, or a character; from keyboard or serial line. */
uint32_t machine_wait_key(void);

/* Returns: a key that was pressed, as machine_wait_key() does; KEY_NONE if none was. */
uint32_t machine_poll_key(void);

/* Waits for about so long. */
void machine_wait(uint32_t microseconds);

/*
 * Takes a part of the screen, beside the text, to draw on.
 * Returns: whether there is such a part, and *width and *height, in points.
 */
bool machine_canvas_open(uint32_t *width, uint32_t *height);

/*
 * Draw on that part, its upper left corner being 0, 0. Colours are 0xRRGGBB. Characters are
 * MACHINE_GLYPH_WIDTH wide.
 * Requires: machine_canvas_open() returned true.
 */
enum { MACHINE_GLYPH_WIDTH = 8 };
void machine_canvas_fill(uint32_t x, uint32_t y, uint32_t width, uint32_t height,
                         uint32_t colour);
void machine_canvas_text(uint32_t x, uint32_t y, const char *text, uint32_t colour,
                         uint32_t background);

/* Switches the machine off; one that cannot halts, and says so. A process ends, done. */
__attribute__((noreturn)) void machine_power_off(void);

/* Starts the machine again; a process ends as if it were done. */
__attribute__((noreturn)) void machine_reboot(void);

/* Shows who called whom on the console, innermost first, as far as can be told. */
void machine_show_backtrace(void);

/* What became of work that was let alone. */
enum machine_end { MACHINE_CAME_BACK, MACHINE_CRASHED, MACHINE_HUNG };

/*
 * Calls work with context: on the host in a process of its own, which hangs if it takes
 * longer than MACHINE_ALONE_MILLISECONDS; on a PC as any call, and a crash is the kernel's.
 */
enum { MACHINE_ALONE_MILLISECONDS = 200 };
enum machine_end machine_let_alone(void (*work)(const void *context), const void *context);

/* Returns: what address is called, as "kmalloc+0x1c" or in digits, in buffer. */
const char *machine_name_of(const void *address, char *buffer, uint32_t buffer_bytes);

/* What a kernel can be made to do wrong on purpose, to see its panic. */
enum machine_fault {
    FAULT_NULL,       /* reads through a NULL pointer */
    FAULT_DIVIDE,     /* divides by zero */
    FAULT_OPCODE,     /* executes what is no instruction */
    FAULT_READ_ONLY,  /* writes to its own code */
    FAULT_STACK,      /* overflows the kernel's stack */
    FAULT_HEAP_STACK, /* overflows the stack that measured calls run on */
    FAULT_DOUBLE,     /* divides by zero where no handler is to be found */
    FAULT_PANIC,      /* panics, as the kernel does of its own accord */
};

/* Does it. Returns, if at all, only on a machine that cannot. */
void machine_provoke(enum machine_fault fault);

/* Any function of the heap; it is called with up to two words and may return one. */
typedef void measured_function(void);

/* The layout is known to measuredCall.asm. */
struct measured_call {
    measured_function *function;
    uintptr_t first;
    uintptr_t second;
    uintptr_t result;
    uint32_t ticks; /* from the function's first instruction to its return, both counted */
};

/*
 * Calls call->function on a stack of its own and fills in result and ticks.
 * ticks is 0 on a machine that cannot count.
 */
void machine_measure(struct measured_call *call);

/* False where machine_measure leaves ticks 0. */
bool machine_counts(void);

/* Forgets how deep measured calls went; and the deepest since, in bytes (0: unknown). */
void machine_clear_stack_depth(void);
uint32_t machine_stack_depth_bytes(void);

/* Code and constants that serve the heap's callers, in bytes (0: unknown). */
uint32_t machine_heap_text_bytes(void);

#endif
