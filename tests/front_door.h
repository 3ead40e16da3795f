/* SPDX-License-Identifier: MIT */
/*
 * The front door from inside: mm/heap.c is compiled into the test that includes this, so that
 * its books can be read, and damaged; and the program around it is played. Which strategy,
 * which hardening level and which locking it has, says the build.
 */
#ifndef TESTS_FRONT_DOOR_H
#define TESTS_FRONT_DOOR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../mm/heap.c"

enum { MAP_BYTES = 1024, REGION_BYTES = MAP_BYTES * (1 + HEAP_BYTES_PER_MAP_BYTE) };

/* --- the program around the heap ------------------------------------------------------------ */

static struct heap_misuse last_misuse;
static uint32_t misuses;

static jmp_buf panic_leads_to;
static bool panic_is_expected;
static char panic_text[160];

void heap_misused(const struct heap_misuse *misuse)
{
    struct heap_explanation explanation;
    heap_explain(misuse->address, &explanation); /* may be asked with the lock held */
    last_misuse = *misuse;
    misuses++;
}

void heap_panic(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(panic_text, sizeof(panic_text), format, arguments);
    va_end(arguments);
    if (panic_is_expected)
        longjmp(panic_leads_to, 1);
    fail_msg("the heap panicked: %s", panic_text);
    abort();
}

/* Fails the test unless the call panics, and says so. */
#define ASSERT_PANICS(call, text)                       \
    do {                                                \
        panic_text[0] = '\0';                           \
        panic_is_expected = true;                       \
        if (setjmp(panic_leads_to) == 0)                \
            (void)(call);                               \
        panic_is_expected = false;                      \
        assert_string_equal(panic_text, text);          \
    } while (0)

/* --- tools ---------------------------------------------------------------------------------- */

/* A fresh heap in zeroed memory, nothing to fail, nothing misused. */
static inline void start_with(uint32_t map_bytes)
{
    region_processor = 0;
    region_set(map_bytes);
    kinitHeap();
    heap_fail(NULL);
    misuses = 0;
}

static inline int start(void **state)
{
    (void)state;
    start_with(MAP_BYTES);
    return 0;
}

static inline void assert_sound(void)
{
    assert_null(heap_check(kheap_strategy(), kheap()));
}

static inline uint8_t *region_end(void)
{
    return kernel_heap.region.arena + kernel_heap.region.arena_bytes;
}

static inline uint32_t failed(enum heap_failure reason)
{
    return heap_stats().failures[reason];
}

/* Calls, from a place that is known. Not inlined, and no jumps: they are returned to. */
static __attribute__((noinline, unused)) void *take_here(uint32_t bytes)
{
    void *block = kmalloc(bytes);
    __asm__ volatile("" : "+r"(block));
    return block;
}

static __attribute__((noinline, unused)) int8_t free_here(void *address)
{
    int8_t result = kfree(address);
    __asm__ volatile("" : "+r"(result));
    return result;
}

/* Whether code address is in one of the two functions above, or another that is as short. */
static inline bool is_in(const void *code, uintptr_t function)
{
    return (uintptr_t)code - function < 200;
}

/* Fails the test unless just so many misuses were reported, the last of them this. */
static inline void assert_misuse(uint32_t count, enum heap_sin sin, const char *function,
                          const void *address)
{
    assert_int_equal(misuses, count);
    assert_int_equal(heap_stats().misuses, count);
    assert_int_equal(last_misuse.sin, sin);
    assert_string_equal(last_misuse.function, function);
    assert_ptr_equal(last_misuse.address, address);
}

/* Fails the test unless each of these is refused by all that take an address, and reported. */
static inline void assert_all_refused(uint8_t *const *wrong, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(free_here(wrong[i]), -1);
        assert_misuse(3 * i + 1, HEAP_SIN_WRONG_ADDRESS, "kfree", wrong[i]);
        assert_true(is_in(last_misuse.caller, (uintptr_t)free_here));
        assert_int_equal(ksize(wrong[i]), 0);
        assert_misuse(3 * i + 2, HEAP_SIN_WRONG_ADDRESS, "ksize", wrong[i]);
        assert_null(krealloc(wrong[i], 8));
        assert_misuse(3 * i + 3, HEAP_SIN_WRONG_ADDRESS, "krealloc", wrong[i]);
    }
}

static inline void assert_no_magazines(void)
{
    static const struct heap_magazine_status none;
    struct heap_magazine_status status = heap_magazine_status();
    assert_memory_equal(&status, &none, sizeof(status));
}

/* As the program begins. */
static inline void forget_heap(void)
{
    account_state = ACCOUNT_NOT_READY;
    memset(kernel_heap.control, 0, HEAP_CONTROL_BYTES_MAX);
    for (uint32_t i = 0; i < REGION_PROCESSORS_MAX; i++)
        region_heap_own[i].is_free = 0;
}

static inline int unready(void **state)
{
    start(state);
    forget_heap();
    return 0;
}

/* Leaves a heap that is not ready. */
static inline void assert_panics_before_kinitheap(void)
{
    forget_heap();
    ASSERT_PANICS(kmalloc(8), "kmalloc: called before kinitHeap()");
    ASSERT_PANICS(kcalloc(1, 8), "kmalloc: called before kinitHeap()");
    ASSERT_PANICS(krealloc(NULL, 8), "kmalloc: called before kinitHeap()");
    ASSERT_PANICS(kmalloc_aligned(8, 64), "kmalloc_aligned: called before kinitHeap()");
}

/* A test, for unready(). */
static inline void calls_before_kinitheap_panic(void **state)
{
    (void)state;
    assert_panics_before_kinitheap();
    kinitHeap();
    ASSERT_PANICS(kmalloc(8), "");
    ASSERT_PANICS(kmalloc_aligned(8, 64), "");
}

#endif
