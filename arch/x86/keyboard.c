/* SPDX-License-Identifier: MIT */
/*
 * Source: Intel 8042 as in the IBM PC/AT Technical Reference, "Keyboard Controller"; scan code
 * set 1, to which the controller translates.
 */
#include "keyboard.h"

#include <stdbool.h>

#include "key.h"
#include "pit.h"
#include "ports.h"

enum { DATA = 0x60, STATUS = 0x64, COMMAND = 0x64 };

enum status_bit { OUTPUT_FULL = 1 << 0, INPUT_FULL = 1 << 1, FROM_MOUSE = 1 << 5 };

enum controller_command {
    READ_CONFIGURATION = 0x20,
    WRITE_CONFIGURATION = 0x60,
    DISABLE_MOUSE = 0xa7,
    ENABLE_KEYBOARD = 0xae,
    PULSE_RESET = 0xfe,
};

enum configuration_bit {
    KEYBOARD_INTERRUPT = 1 << 0,
    MOUSE_INTERRUPT = 1 << 1,
    KEYBOARD_OFF = 1 << 4,
    TRANSLATION = 1 << 6,
};

enum { KEYBOARD_SENDS = 0xf4, NOTHING_THERE = 0xff, TRIES = 1000, TRY_MICROSECONDS = 20 };

/* Of set 1; a key that is let go sends the same with the highest bit set. */
enum scan_code {
    SCAN_CTRL = 0x1d,
    SCAN_LEFT_SHIFT = 0x2a,
    SCAN_RIGHT_SHIFT = 0x36,
    SCAN_CAPS_LOCK = 0x3a,
    SCAN_RELEASED = 0x80,
    SCAN_EXTENDED = 0xe0, /* begins a code of two bytes */
    SCAN_PAUSE = 0xe1,    /* begins one of three: nobody here wants it */
};

static const char plain[] = "\0\0331234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] =
    "\0\033!@#$%^&*()_+\b\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

_Static_assert(sizeof(plain) == sizeof(shifted), "two characters a key");

static bool is_there, is_extended, shift, ctrl, caps_lock;
static uint32_t skip; /* so many bytes of a code that nobody wants are still to come */

static bool waits_for(uint8_t mask, uint8_t value)
{
    for (int i = 0; i < TRIES; i++) {
        if ((port_read_byte(STATUS) & mask) == value)
            return true;
        pit_wait(TRY_MICROSECONDS);
    }
    return false;
}

static void send(uint16_t port, uint8_t value)
{
    if (waits_for(INPUT_FULL, 0))
        port_write_byte(port, value);
}

static void discard_input(void)
{
    for (int i = 0; i < TRIES && (port_read_byte(STATUS) & OUTPUT_FULL) != 0; i++)
        port_read_byte(DATA);
}

void keyboard_init(void)
{
    is_there = port_read_byte(STATUS) != NOTHING_THERE;
    if (!is_there)
        return;
    send(COMMAND, DISABLE_MOUSE);
    discard_input();
    send(COMMAND, READ_CONFIGURATION);
    if (!waits_for(OUTPUT_FULL, OUTPUT_FULL))
        return;
    uint8_t configuration = port_read_byte(DATA);
    configuration &= (uint8_t) ~(KEYBOARD_INTERRUPT | MOUSE_INTERRUPT | KEYBOARD_OFF);
    send(COMMAND, WRITE_CONFIGURATION);
    send(DATA, configuration | TRANSLATION);
    send(COMMAND, ENABLE_KEYBOARD);
    send(DATA, KEYBOARD_SENDS);
    waits_for(OUTPUT_FULL, OUTPUT_FULL); /* it says that it will */
    discard_input();
}

static bool is_letter(char character)
{
    return character >= 'a' && character <= 'z';
}

static uint32_t character_of(uint8_t code)
{
    if (code >= sizeof(plain) - 1)
        return KEY_NONE;
    char character = plain[code];
    if (ctrl && is_letter(character))
        return KEY_CTRL((uint32_t)character);
    return (uint8_t)(shift != (caps_lock && is_letter(character)) ? shifted[code] : character);
}

/* The keys between the letters and the digits, and Enter and / beside the digits. */
static uint32_t extended_key(uint8_t code)
{
    switch (code) {
    case 0x1c:
        return KEY_ENTER;
    case 0x35:
        return '/';
    case 0x47:
        return KEY_HOME;
    case 0x48:
        return KEY_UP;
    case 0x4b:
        return KEY_LEFT;
    case 0x4d:
        return KEY_RIGHT;
    case 0x4f:
        return KEY_END;
    case 0x50:
        return KEY_DOWN;
    case 0x53:
        return KEY_DELETE;
    default:
        return KEY_NONE;
    }
}

/* Returns: whether the code is that of a key that only changes what others mean. */
static bool modifies(uint8_t code, bool is_pressed)
{
    if (code == SCAN_LEFT_SHIFT || code == SCAN_RIGHT_SHIFT)
        shift = is_pressed;
    else if (code == SCAN_CTRL)
        ctrl = is_pressed;
    else if (code == SCAN_CAPS_LOCK)
        caps_lock ^= is_pressed;
    else
        return false;
    return true;
}

static uint32_t decode(uint8_t byte)
{
    if (skip > 0) {
        skip--;
        return KEY_NONE;
    }
    if (byte == SCAN_EXTENDED || byte == SCAN_PAUSE) {
        is_extended = byte == SCAN_EXTENDED;
        skip = byte == SCAN_PAUSE ? 2 : 0;
        return KEY_NONE;
    }
    bool was_extended = is_extended, is_pressed = (byte & SCAN_RELEASED) == 0;
    uint8_t code = byte & (uint8_t)~SCAN_RELEASED;
    is_extended = false;
    bool is_fake_shift = was_extended && code != SCAN_CTRL; /* sent around the keys in between */
    if (!is_fake_shift && modifies(code, is_pressed))
        return KEY_NONE;
    if (!is_pressed)
        return KEY_NONE;
    return was_extended ? extended_key(code) : character_of(code);
}

uint32_t keyboard_poll(void)
{
    uint8_t status = is_there ? port_read_byte(STATUS) : 0;
    if ((status & OUTPUT_FULL) == 0)
        return KEY_NONE;
    uint8_t byte = port_read_byte(DATA);
    return (status & FROM_MOUSE) != 0 ? KEY_NONE : decode(byte);
}

void keyboard_reset_machine(void)
{
    send(COMMAND, PULSE_RESET);
}
