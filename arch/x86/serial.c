/* SPDX-License-Identifier: MIT */
/* Source: National Semiconductor, PC16550D data sheet, section 8, "Registers". */
#include "serial.h"

#include "ports.h"

enum {
    COM1 = 0x3f8,
    DATA = COM1,             /* divisor, low half, while DIVISOR_ACCESS is set */
    INTERRUPT_ENABLE = COM1 + 1, /* divisor, high half */
    FIFO_CONTROL = COM1 + 2,
    LINE_CONTROL = COM1 + 3,
    MODEM_CONTROL = COM1 + 4,
    LINE_STATUS = COM1 + 5,
    SCRATCH = COM1 + 7,
};

enum {
    DIVISOR_115200_BAUD = 1,
    DIVISOR_ACCESS = 0x80,
    EIGHT_BITS_NO_PARITY_ONE_STOP = 0x03,
    FIFO_ON_AND_CLEARED = 0x07,
    READY_AND_REQUEST_TO_SEND = 0x03,
    RECEIVER_FULL = 0x01,
    TRANSMITTER_EMPTY = 0x20,
    SCRATCH_PATTERN = 0x5a,
};

/* Seconds, at a microsecond a read: longer than any reader at the other end should sleep. */
enum { PATIENCE_READS = 5000000 };

static bool present;
static bool stuck; /* it was not ready for all that time: nobody waits for it again */

void serial_init(void)
{
    port_write_byte(SCRATCH, SCRATCH_PATTERN); /* where nothing answers, nothing is kept */
    present = port_read_byte(SCRATCH) == SCRATCH_PATTERN;
    if (!present)
        return;
    port_write_byte(INTERRUPT_ENABLE, 0);
    port_write_byte(LINE_CONTROL, DIVISOR_ACCESS);
    port_write_byte(DATA, DIVISOR_115200_BAUD);
    port_write_byte(INTERRUPT_ENABLE, 0);
    port_write_byte(LINE_CONTROL, EIGHT_BITS_NO_PARITY_ONE_STOP);
    port_write_byte(FIFO_CONTROL, FIFO_ON_AND_CLEARED);
    port_write_byte(MODEM_CONTROL, READY_AND_REQUEST_TO_SEND);
}

static bool is_ready(void)
{
    return (port_read_byte(LINE_STATUS) & TRANSMITTER_EMPTY) != 0;
}

static bool becomes_ready(void)
{
    for (uint32_t left = stuck ? 1 : PATIENCE_READS; left > 0; left--) {
        if (is_ready())
            return true;
        __asm__ volatile("pause");
    }
    return false;
}

void serial_put(char character)
{
    if (!present)
        return;
    stuck = !becomes_ready();
    if (!stuck)
        port_write_byte(DATA, (uint8_t)character);
}

bool serial_get(uint8_t *byte)
{
    if (!present || (port_read_byte(LINE_STATUS) & RECEIVER_FULL) == 0)
        return false;
    *byte = port_read_byte(DATA);
    return true;
}
