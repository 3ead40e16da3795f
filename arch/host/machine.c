/* SPDX-License-Identifier: MIT */
/*
 * A Linux process, as the kernel asks for it in machine.h. It cannot count instructions; told
 * so, it reads the processor's time-stamp counter, with whatever else the machine does in it.
 */
#include "machine.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bulk.h"
#include "clock.h"
#include "format.h"
#include "key.h"

static const int exit_statuses[] = {
    [MACHINE_DONE] = 0, [MACHINE_FAILED] = 1, [MACHINE_PANICKED] = 2};

static FILE *bulk;
static bool clock_is_used;

void clock_use(void)
{
    clock_is_used = true;
}

/* LFENCE before RDTSC waits until everything earlier is done (Intel SDM 2B, RDTSC). */
static uint32_t clock_read(void)
{
    __asm__ volatile("lfence" : : : "memory");
    return (uint32_t)__builtin_ia32_rdtsc();
}

bool bulk_open(const char *path)
{
    bulk = fopen(path, "wb");
    return bulk != NULL;
}

void machine_stop(enum machine_status status)
{
    bool written = fflush(stdout) == 0 && (bulk == NULL || fclose(bulk) == 0);
    if (!written && status == MACHINE_DONE) {
        fprintf(stderr, "error: the output could not be written\n");
        status = MACHINE_FAILED;
    }
    exit(exit_statuses[status]);
}

void machine_serial_put(char character)
{
    putchar(character);
}

void machine_screen_put(char character)
{
    (void)character; /* the serial line is the terminal already */
}

void machine_bulk_put(const void *bytes, uint32_t count)
{
    if (bulk != NULL)
        fwrite(bytes, 1, count, bulk);
}

/* --- keys ------------------------------------------------------------------------------------ */

uint32_t machine_wait_key(void)
{
    static struct key_decoder decoder;
    uint32_t key = KEY_NONE;
    fflush(stdout);
    while (key == KEY_NONE) {
        int byte = getchar();
        if (byte == EOF)
            return KEY_INPUT_ENDED;
        key = key_decode(&decoder, (uint8_t)byte);
    }
    return key;
}

/* Input may be a script: what is typed ahead interrupts nothing. */
uint32_t machine_poll_key(void)
{
    return KEY_NONE;
}

void machine_wait(uint32_t microseconds)
{
    fflush(stdout);
    usleep(microseconds);
}

bool machine_canvas_open(uint32_t *width, uint32_t *height)
{
    (void)width, (void)height;
    return false; /* a terminal has none */
}

void machine_canvas_fill(uint32_t x, uint32_t y, uint32_t width, uint32_t height, uint32_t colour)
{
    (void)x, (void)y, (void)width, (void)height, (void)colour;
}

void machine_canvas_text(uint32_t x, uint32_t y, const char *text, uint32_t colour,
                         uint32_t background)
{
    (void)x, (void)y, (void)text, (void)colour, (void)background;
}

void machine_power_off(void)
{
    machine_stop(MACHINE_DONE);
}

void machine_reboot(void)
{
    machine_stop(MACHINE_DONE);
}

void machine_show_backtrace(void)
{
    enum { FRAMES_MAX = 32 };
    void *frames[FRAMES_MAX];
    fflush(stdout);
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES_MAX), STDOUT_FILENO);
}

/* The kernel's table of names has no like here. */
const char *machine_name_of(const void *address, char *buffer, uint32_t buffer_bytes)
{
    return format_text(buffer, buffer_bytes, "0x%08x", (uint32_t)(uintptr_t)address);
}

/* The limit is on its own time: a busy machine harms nothing. */
__attribute__((noreturn)) static void work_alone(void (*work)(const void *), const void *context)
{
    const struct itimerval limit = {.it_value.tv_usec = MACHINE_ALONE_MILLISECONDS * 1000};
    setitimer(ITIMER_PROF, &limit, NULL);
    work(context);
    fflush(stdout);
    _exit(0);
}

enum machine_end machine_let_alone(void (*work)(const void *), const void *context)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        work_alone(work, context);
    int status = -1;
    if (child > 0 && waitpid(child, &status, 0) == child && status == 0)
        return MACHINE_CAME_BACK;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF ? MACHINE_HUNG : MACHINE_CRASHED;
}

void machine_provoke(enum machine_fault fault)
{
    (void)fault; /* a process has no panic screen to show */
}

void machine_measure(struct measured_call *call)
{
    uintptr_t (*function)(uintptr_t, uintptr_t) =
        (uintptr_t(*)(uintptr_t, uintptr_t))call->function;
    uint32_t started = clock_is_used ? clock_read() : 0;
    call->result = function(call->first, call->second);
    call->ticks = clock_is_used ? clock_read() - started : 0;
}

bool machine_counts(void)
{
    return clock_is_used;
}

void machine_clear_stack_depth(void)
{
}

uint32_t machine_stack_depth_bytes(void)
{
    return 0;
}

uint32_t machine_heap_text_bytes(void)
{
    return 0;
}
