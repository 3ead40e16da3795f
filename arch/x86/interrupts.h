/* SPDX-License-Identifier: MIT */
/* Interrupts on this processor, let in or kept out. */
#ifndef ARCH_X86_INTERRUPTS_H
#define ARCH_X86_INTERRUPTS_H

#include <stdbool.h>
#include <stdint.h>

/* Keeps them out. Returns: what interrupts_restore() needs to make it as it was. */
static inline uint32_t interrupts_save(void)
{
    uint32_t flags;
    __asm__ volatile("pushfl\n\tpopl %0\n\tcli" : "=r"(flags) : : "memory");
    return flags;
}

static inline void interrupts_restore(uint32_t flags)
{
    __asm__ volatile("pushl %0\n\tpopfl" : : "r"(flags) : "memory", "cc");
}

static inline void interrupts_let_in(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void interrupts_keep_out(void)
{
    __asm__ volatile("cli" : : : "memory");
}

#endif
