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

static void divide_by_zero(void)
{
    /* In C it would be undefined, and the compiler free to drop it. */
    volatile uint32_t zero = 0;
    __asm__ volatile("divl %0" : : "m"(zero), "a"(1), "d"(0));
}

/* With its gate gone, the exception cannot be delivered, and that is the second one. */
static void double_fault(void)
{
    enum { GATE_ACCESS = 5 }; /* a gate's byte that says whether it is there */
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) table;
    __asm__ volatile("sidt %0" : "=m"(table));
    ((volatile uint8_t *)(uintptr_t)table.base)[GATE_ACCESS] = 0;
    divide_by_zero();
}

void machine_provoke(enum machine_fault fault)
{
    struct measured_call deep = {.function = overflow_heap_stack};
    volatile uintptr_t null = 0;
    switch (fault) {
    case FAULT_NULL:
        (void)*(volatile uint32_t *)null;
        break;
    case FAULT_DIVIDE:
        divide_by_zero();
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
    case FAULT_DOUBLE:
        double_fault();
        break;
    case FAULT_PANIC:
        panic("this was asked for");
    }
}
