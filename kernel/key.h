/* SPDX-License-Identifier: MIT */
/*
 * Keys, wherever they were pressed: what a terminal at the other end of a serial line sends,
 * and what a keyboard sends, come to the same numbers.
 *
 * Source: ECMA-48, 5.4 (control sequences); the function keys as xterm sends them.
 */
#ifndef KERNEL_KEY_H
#define KERNEL_KEY_H

#include <stdint.h>

/* A printable character stands for itself; so does a control character, Ctrl-A being 1. */
enum key {
    KEY_NONE = 0,
    KEY_BACKSPACE = '\b',
    KEY_TAB = '\t',
    KEY_ENTER = '\n',
    KEY_ESCAPE = 0x1b,
    KEY_UP = 0x100,
    KEY_DOWN,
    KEY_RIGHT,
    KEY_LEFT,
    KEY_HOME,
    KEY_END,
    KEY_DELETE,
    KEY_INPUT_ENDED, /* there will never be another */
};

/* The key that Ctrl and a letter are. */
#define KEY_CTRL(letter) ((letter) & 0x1f)

/* How far a sequence of bytes has been understood; zeroed at the beginning. */
struct key_decoder {
    enum { DECODER_PLAIN, DECODER_ESCAPED, DECODER_SEQUENCE } state;
    uint32_t number; /* of a sequence "ESC [ number ~" */
    uint8_t last;    /* the byte before; a line end may be two of them */
};

/*
 * Takes the next byte that a terminal sent.
 * Returns: the key that it completes; KEY_NONE if more is to come, or for a sequence that
 * nobody here knows.
 */
uint32_t key_decode(struct key_decoder *decoder, uint8_t byte);

#endif
