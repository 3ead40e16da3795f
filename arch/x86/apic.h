/* SPDX-License-Identifier: MIT */
/* The interrupt controllers: each processor's own APIC, and the I/O APICs they share. */
#ifndef ARCH_X86_APIC_H
#define ARCH_X86_APIC_H

#include <stdbool.h>
#include <stdint.h>

#include "acpi.h"
#include "cpu.h"

/* Interrupt vectors; those below 32 are exceptions. The higher four bits are the priority. */
enum interrupt_vector {
    VECTOR_TIMER = 0x40,
    VECTOR_WAKE = 0x50, /* from another processor: there is work */
    VECTOR_SPURIOUS = 0xff,
};

typedef void interrupt_handler(struct exception_frame *frame);

/* From here on, vector calls handler, with interrupts off, on the processor that got it. */
void interrupt_set_handler(enum interrupt_vector vector, interrupt_handler *handler);

/* Called by exceptions.asm: finds the handler, and tells the APIC that it is done. */
void interrupt_raised(struct exception_frame *frame);

/* Returns: NULL; or in words why this processor's APIC cannot be used as all else here does. */
const char *apic_unusable(void);

/* Masks the 8259s and every input of the I/O APICs. Once, on the first processor. */
void apic_init(const struct acpi_platform *platform);

/* Turns this processor's APIC on. */
void apic_enable(void);

/* Returns: the id of this processor's APIC. */
uint32_t apic_id(void);

/* Interrupts the processor with this APIC id. */
void apic_interrupt(uint32_t id, enum interrupt_vector vector);

/*
 * Starts the processor with this APIC id in real mode at page * 4096, by INIT and two
 * start-ups (MultiProcessor Specification 1.4, B.4).
 * Requires: page < 256.
 */
void apic_start_processor(uint32_t id, uint8_t page);

/* Sends all other processors an NMI, which nothing keeps out. */
void apic_interrupt_others(void);

/*
 * VECTOR_TIMER comes once, after so many ticks of the APIC's clock; under QEMU a tick is a
 * nanosecond, and so, under -icount shift=0, an instruction. 0: it does not come.
 */
void apic_timer_after(uint32_t ticks);

/*
 * Returns: how many ticks that clock makes in so many microseconds, as it has just made them; 1
 * at least. On a PC it has the speed of a bus (SDM 3A, 11.5.4), which is not told.
 */
uint32_t apic_timer_ticks(uint32_t microseconds);

#endif
