/* SPDX-License-Identifier: MIT */
/*
 * Both devices are asked, a thousand times a second: people do not type faster, and nothing
 * here needs their interrupts. In between the processor rests.
 */
#include "input.h"

#include "apic.h"
#include "key.h"
#include "keyboard.h"
#include "machine.h"
#include "pit.h"
#include "processor.h"
#include "screen.h"
#include "serial.h"

enum { REST_MICROSECONDS = 1000, WAIT_STEP_MICROSECONDS = 10000 };

static uint32_t rest_ticks; /* 0: no timer would end the rest */

static void rest_is_over(struct exception_frame *frame)
{
    (void)frame;
}

void input_init(const struct boot_info *info)
{
    uint32_t running;
    keyboard_init();
    if (processors_start(info, 1, &running) == NULL)
        rest_ticks = apic_timer_ticks(REST_MICROSECONDS);
    interrupt_set_handler(VECTOR_TIMER, rest_is_over);
}

static void rest(void)
{
    if (rest_ticks == 0) {
        __asm__ volatile("pause");
        return;
    }
    apic_timer_after(rest_ticks);
    __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    apic_timer_after(0);
}

uint32_t machine_poll_key(void)
{
    static struct key_decoder decoder;
    uint8_t byte;
    uint32_t key = keyboard_poll();
    if (key == KEY_NONE && serial_get(&byte))
        key = key_decode(&decoder, byte);
    return key;
}

uint32_t machine_wait_key(void)
{
    uint32_t key = machine_poll_key();
    screen_show_cursor();
    for (; key == KEY_NONE; key = machine_poll_key())
        rest();
    return key;
}

void machine_wait(uint32_t microseconds)
{
    for (; microseconds > WAIT_STEP_MICROSECONDS; microseconds -= WAIT_STEP_MICROSECONDS)
        pit_wait(WAIT_STEP_MICROSECONDS);
    if (microseconds > 0)
        pit_wait(microseconds);
}
