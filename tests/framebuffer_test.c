/* SPDX-License-Identifier: MIT */
/* Which screens are drawn on, and where their points lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "framebuffer.h"

enum { WIDTH = 16, HEIGHT = 16, PITCH_BYTES = 4 * WIDTH };

static const struct boot_framebuffer usual = {
    .address = 0xfd000000, .pitch_bytes = PITCH_BYTES, .width = WIDTH, .height = HEIGHT,
    .bits_per_point = 32, .red = {16, 8}, .green = {8, 8}, .blue = {0, 8}};

static void a_screen_must_lie_below_4_gib(void **state)
{
    (void)state;
    static const struct {
        uint64_t address;
        uint32_t pitch_bytes;
        bool is_usable;
    } cases[] = {
        {0xfd000000, PITCH_BYTES, true},
        {UINT32_MAX - PITCH_BYTES * HEIGHT, PITCH_BYTES, true},
        {UINT32_MAX - PITCH_BYTES * HEIGHT + 1, PITCH_BYTES, false},
        {0x100000000, PITCH_BYTES, false},
        {UINT64_MAX - PITCH_BYTES * HEIGHT / 2, PITCH_BYTES, false}, /* goes round the end */
        {0xfd000000, UINT32_MAX, false},
        {0xfd000000, PITCH_BYTES - 1, false},
        {0, PITCH_BYTES, false},
    };
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct boot_framebuffer framebuffer = usual;
        framebuffer.address = cases[i].address;
        framebuffer.pitch_bytes = cases[i].pitch_bytes;
        assert_int_equal(framebuffer_use(&framebuffer), cases[i].is_usable);
    }
}

static void only_what_lies_on_the_screen_is_filled(void **state)
{
    (void)state;
    static uint32_t points[HEIGHT + 1][WIDTH];
    struct boot_framebuffer framebuffer = usual;
    framebuffer.address = (uintptr_t)points;
    assert_true(framebuffer_use(&framebuffer));
    framebuffer_fill(WIDTH - 1, HEIGHT - 1, UINT32_MAX, UINT32_MAX, 0x123456);
    framebuffer_fill(WIDTH, 0, 1, 1, 0x654321);
    for (uint32_t i = 0; i < (HEIGHT + 1) * WIDTH; i++)
        assert_int_equal(points[i / WIDTH][i % WIDTH], i == HEIGHT * WIDTH - 1 ? 0x123456 : 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_screen_must_lie_below_4_gib),
        cmocka_unit_test(only_what_lies_on_the_screen_is_filled),
    };
    return cmocka_run_group_tests_name("framebuffer", tests, NULL, NULL);
}
