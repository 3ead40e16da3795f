/* SPDX-License-Identifier: MIT */
/* Faults on purpose: each shows that its panic says what happened. */
#include "machine.h"

#include "panic.h"

extern uint8_t _text_start[];

enum { BYTES_A_CALL = 512 };

/* Never ends by itself: the guard page ends it. */
static uint32_t overflow_stack(uint32_t depth)
{
    volatile uint8_t used[BYTES_A_CALL];
    used[depth % BYTES_A_CALL] = (uint8_t)depth;
    if (depth == UINT32_MAX)
        panic("the stack has no end");
    return overflow_stack(depth + 1) + used[0];
}

static void overflow_heap_stack(void)
{
    overflow_stack(0);
}

void machine_provoke(enum machine_fault fault)
{
    struct measured_call deep = {.function = overflow_heap_stack};
    volatile uint32_t zero = 0;
    switch (fault) {
    case FAULT_NULL:
        (void)*(volatile uint32_t *)zero;
        break;
    case FAULT_DIVIDE:
        /* In C it would be undefined, and the compiler free to drop it. */
        __asm__ volatile("divl %0" : : "m"(zero), "a"(1), "d"(0));
        break;
    case FAULT_OPCODE:
        __asm__ volatile("ud2");
        break;
    case FAULT_READ_ONLY:
        *(volatile uint8_t *)_text_start = 0;
        break;
    case FAULT_STACK:
        overflow_stack(0);
        break;
    case FAULT_HEAP_STACK:
        machine_measure(&deep);
        break;
    }
}
