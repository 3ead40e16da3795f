/* SPDX-License-Identifier: MIT */
#include "key.h"

enum { DELETE_CHARACTER = 0x7f, BASE = 10, NUMBER_MAX = 99 };

static const struct {
    char letter;
    uint16_t key;
} by_letter[] = {
    {'A', KEY_UP},   {'B', KEY_DOWN}, {'C', KEY_RIGHT},
    {'D', KEY_LEFT}, {'F', KEY_END},  {'H', KEY_HOME},
};

static const uint16_t by_number[] = {
    [1] = KEY_HOME, [3] = KEY_DELETE, [4] = KEY_END, [7] = KEY_HOME, [8] = KEY_END,
};

enum { LETTERS = sizeof(by_letter) / sizeof(by_letter[0]) };
enum { NUMBERS = sizeof(by_number) / sizeof(by_number[0]) };

static uint32_t decode_plain(struct key_decoder *decoder, uint8_t byte)
{
    uint8_t last = decoder->last;
    decoder->last = byte;
    if (byte == KEY_ESCAPE)
        decoder->state = DECODER_ESCAPED;
    if (byte == KEY_ESCAPE || (byte == '\n' && last == '\r'))
        return KEY_NONE;
    if (byte == '\r')
        return KEY_ENTER;
    return byte == DELETE_CHARACTER ? KEY_BACKSPACE : byte;
}

/* ESC [ and ESC O begin a sequence; ESC and anything else is a key with Alt: the key. */
static uint32_t decode_escaped(struct key_decoder *decoder, uint8_t byte)
{
    decoder->number = 0;
    decoder->state = byte == '[' || byte == 'O' ? DECODER_SEQUENCE : DECODER_PLAIN;
    return decoder->state == DECODER_PLAIN ? decode_plain(decoder, byte) : KEY_NONE;
}

static uint32_t decode_sequence(struct key_decoder *decoder, uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        uint32_t number = decoder->number * BASE + byte - '0';
        decoder->number = number < NUMBER_MAX ? number : NUMBER_MAX;
        return KEY_NONE;
    }
    if (byte == ';') /* what follows says which of Shift, Alt and Ctrl was held */
        return KEY_NONE;
    decoder->state = DECODER_PLAIN;
    if (byte == '~')
        return decoder->number < NUMBERS ? by_number[decoder->number] : KEY_NONE;
    for (uint32_t i = 0; i < LETTERS; i++)
        if (by_letter[i].letter == byte)
            return by_letter[i].key;
    return KEY_NONE;
}

uint32_t key_decode(struct key_decoder *decoder, uint8_t byte)
{
    switch (decoder->state) {
    case DECODER_ESCAPED:
        return decode_escaped(decoder, byte);
    case DECODER_SEQUENCE:
        return decode_sequence(decoder, byte);
    case DECODER_PLAIN:
        break;
    }
    return decode_plain(decoder, byte);
}
