/* SPDX-License-Identifier: MIT */
/*
 * The four functions that a C compiler may call in a freestanding program of its own
 * accord (GCC manual, "Standards"; clang does the same). Never called by name. The string
 * instructions keep the compiler from turning these loops into calls of themselves.
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

void *memcpy(void *to, const void *from, size_t bytes)
{
    void *next = to;
    size_t words = bytes / 4;
    size_t rest = bytes % 4;
    __asm__ volatile("rep movsl" : "+D"(next), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(next), "+S"(from), "+c"(rest) : : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    if ((uintptr_t)to - (uintptr_t)from >= bytes)
        return memcpy(to, from, bytes);
    uint8_t *last_to = (uint8_t *)to + bytes - 1;
    const uint8_t *last_from = (const uint8_t *)from + bytes - 1;
    __asm__ volatile("std; rep movsb; cld"
                     : "+D"(last_to), "+S"(last_from), "+c"(bytes)
                     :
                     : "memory");
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    void *next = to;
    uint32_t word = (uint8_t)value * 0x01010101U;
    size_t words = bytes / 4;
    size_t rest = bytes % 4;
    __asm__ volatile("rep stosl" : "+D"(next), "+c"(words) : "a"(word) : "memory");
    __asm__ volatile("rep stosb" : "+D"(next), "+c"(rest) : "a"(word) : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const uint8_t *left = a;
    const uint8_t *right = b;
    for (; bytes > 0; bytes--, left++, right++)
        if (*left != *right)
            return *left < *right ? -1 : 1;
    return 0;
}
