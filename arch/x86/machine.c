/* SPDX-License-Identifier: MIT */
/* The PC, as the kernel asks for it in machine.h. */
#include "machine.h"

#include "backtrace.h"
#include "console.h"
#include "keyboard.h"
#include "pit.h"
#include "ports.h"
#include "power.h"
#include "processor.h"
#include "screen.h"
#include "serial.h"
#include "symbols.h"

enum { QEMU_EXIT_PORT = 0xf4, QEMU_DEBUG_PORT = 0xe9, RESET_MICROSECONDS = 50000 };

/* QEMU's isa-debug-exit makes 2 * value + 1 of these: 33, 35 and 37. */
static const uint32_t exit_values[] = {
    [MACHINE_DONE] = 16, [MACHINE_FAILED] = 17, [MACHINE_PANICKED] = 18};

extern const uint8_t _heap_rodata_start[], _heap_rodata_end[];
extern uint32_t heapStack[], heapStackTop[];

void measuredCall(struct measured_call *call);
void measuredNothing(void);

void machine_stop(enum machine_status status)
{
    port_write_word32(QEMU_EXIT_PORT, exit_values[status]); /* comes back on other machines */
    processors_halt_others();
    processor_halt();
}

void machine_power_off(void)
{
    port_write_word32(QEMU_EXIT_PORT, exit_values[MACHINE_DONE]);
    power_off();
    console_print("it is safe to switch the machine off now\n");
    machine_stop(MACHINE_DONE);
}

/* The keyboard controller's way, then the one of a processor that can go no further. */
void machine_reboot(void)
{
    static const struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) nothing = {0, 0};
    keyboard_reset_machine();
    pit_wait(RESET_MICROSECONDS);
    __asm__ volatile("lidt %0\n\tint3" : : "m"(nothing)); /* three faults in a row reset it */
    processor_halt();
}

void machine_serial_put(char character)
{
    serial_put(character);
}

void machine_screen_put(char character)
{
    screen_put(character);
}

void machine_bulk_put(const void *bytes, uint32_t count)
{
    for (const uint8_t *next = bytes; count > 0; count--)
        port_write_byte(QEMU_DEBUG_PORT, *next++);
}

void machine_show_backtrace(void)
{
    const uint32_t *record = __builtin_frame_address(0); /* the caller's EBP, and where it was */
    backtrace_show((struct execution_point){
        .eip = record[1], .esp = (uintptr_t)(record + 2), .ebp = record[0]});
}

enum machine_end machine_let_alone(void (*work)(const void *), const void *context)
{
    work(context);
    return MACHINE_CAME_BACK;
}

/* --- measuring ----------------------------------------------------------------------------- */

enum { CALIBRATIONS = 32 };

/*
 * What measuring costs beyond the measured instructions: the least of a few readings of a
 * function whose only instruction is its return. Under -icount all are the same.
 */
static uint32_t overhead_ticks(void)
{
    static uint32_t overhead; /* 0: not yet known */
    for (uint32_t i = 0; i < CALIBRATIONS && (overhead == 0 || i > 0); i++) {
        struct measured_call nothing = {.function = measuredNothing};
        measuredCall(&nothing);
        if (i == 0 || nothing.ticks - 1 < overhead)
            overhead = nothing.ticks - 1;
    }
    return overhead;
}

void machine_measure(struct measured_call *call)
{
    uint32_t overhead = overhead_ticks();
    measuredCall(call);
    call->ticks = call->ticks > overhead ? call->ticks - overhead : 0;
}

bool machine_counts(void)
{
    return true;
}

/* --- what a heap takes besides its region -------------------------------------------------- */

static const uint32_t untouched = 0x5afe57ac;

void machine_clear_stack_depth(void)
{
    for (uint32_t *word = heapStack; word < heapStackTop; word++)
        *word = untouched;
}

/* The call's own frame record and arguments, which measuredCall pushes, do not count. */
enum { MEASURED_CALL_BYTES = 4 * sizeof(uint32_t) };

uint32_t machine_stack_depth_bytes(void)
{
    const uint32_t *deepest = heapStack;
    while (deepest < heapStackTop && *deepest == untouched)
        deepest++;
    uint32_t used = (uint32_t)((uintptr_t)heapStackTop - (uintptr_t)deepest);
    return used > MEASURED_CALL_BYTES ? used - MEASURED_CALL_BYTES : 0;
}

uint32_t machine_heap_text_bytes(void)
{
    return heap_text_bytes + (uint32_t)(_heap_rodata_end - _heap_rodata_start);
}
