/* SPDX-License-Identifier: MIT */
/*
 * Source: Intel 8254 data sheet: counter 2 in mode 0, whose output rises when the count is over.
 * Its gate and its output are bits of port 0x61 (IBM PC/AT Technical Reference).
 */
#include "pit.h"

#include "ports.h"

enum {
    COUNTER_2 = 0x42,
    CONTROL = 0x43,
    SYSTEM_PORT = 0x61,
    COUNTER_2_LOW_HIGH_MODE_0 = 0xb0,
    GATE = 1 << 0,
    SPEAKER = 1 << 1,
    OUTPUT = 1 << 5,
    TICKS_PER_MILLISECOND = 1193,
};

void pit_wait(uint32_t microseconds)
{
    uint32_t ticks = microseconds * TICKS_PER_MILLISECOND / 1000 + 1;
    uint8_t kept = port_read_byte(SYSTEM_PORT);
    port_write_byte(SYSTEM_PORT, (uint8_t)((kept & ~SPEAKER) | GATE));
    port_write_byte(CONTROL, COUNTER_2_LOW_HIGH_MODE_0);
    port_write_byte(COUNTER_2, (uint8_t)ticks);
    port_write_byte(COUNTER_2, (uint8_t)(ticks >> 8));
    while ((port_read_byte(SYSTEM_PORT) & OUTPUT) == 0)
        __asm__ volatile("pause");
    port_write_byte(SYSTEM_PORT, kept);
}
