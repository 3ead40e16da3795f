/* SPDX-License-Identifier: MIT */
#include "apart.h"

#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_GAVE_UP = 99 }; /* not a sanitizer's */

void *apart_share(uint32_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    return memory;
}

void apart_renew(void)
{
    const struct itimerval timer = {.it_value = {.tv_sec = APART_MILLISECONDS / 1000,
                                                 .tv_usec = APART_MILLISECONDS % 1000 * 1000}};
    setitimer(ITIMER_PROF, &timer, NULL);
}

/* A fault ends this process alone: whoever started it is told by its status. */
static void begin(bool quiet)
{
    int nowhere = quiet ? open("/dev/null", O_WRONLY) : -1;
    if (nowhere >= 0)
        dup2(nowhere, STDERR_FILENO);
    __sanitizer_set_death_callback(NULL);
    signal(SIGABRT, SIG_DFL);
    signal(SIGPROF, SIG_DFL);
    apart_renew();
}

static enum apart_end end_of(int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
        return APART_DONE;
    if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_GAVE_UP)
        return APART_GAVE_UP;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF ? APART_HANG : APART_FAULT;
}

enum apart_end apart_run(void (*work)(void *context), void *context, bool quiet)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        abort();
    if (child == 0) {
        begin(quiet);
        work(context);
        fflush(stdout);
        _exit(EXIT_SUCCESS);
    }
    if (waitpid(child, &status, 0) != child)
        abort();
    return end_of(status);
}

void apart_give_up(void)
{
    fflush(stdout);
    _exit(STATUS_GAVE_UP);
}
