/* SPDX-License-Identifier: MIT */
/* LOS, from the first C statement to the last. */
#include "boot_info.h"
#include "console.h"
#include "cpu.h"
#include "cpu_features.h"
#include "experiment.h"
#include "heap.h"
#include "heap_strategy.h"
#include "input.h"
#include "job.h"
#include "machine.h"
#include "memory.h"
#include "misuse_run.h"
#include "panic.h"
#include "power.h"
#include "processor_test.h"
#include "race.h"
#include "runner.h"
#include "screen.h"
#include "serial.h"
#include "shell.h"
#include "trials.h"

extern const uint8_t _kernel_start[], _kernel_end[];

static struct boot_info boot_info;

static void say_hello(void)
{
    const struct heap_region *region = &kheap()->region;
    console_print("# LOS, loaded by %s: heap %s, %u KiB at %p, side array %u bytes at %p\n",
                  boot_info.loader_name, kheap_strategy()->name, region->arena_bytes / 1024,
                  (void *)region->arena, region->map_bytes, (void *)region->map);
}

/* Stops here if this is no boot that the kernel can go on with. */
static void require(const char *wrong)
{
    if (wrong != NULL)
        machine_stop(run_refused(wrong));
}

static enum machine_status do_job(const struct job *job)
{
    switch (job->kind) {
    case JOB_TESTS:
        return run_tests(job);
    case JOB_REPLAY:
        return run_replay(job, boot_info.module_count > 0 ? &boot_info.modules[0] : NULL);
    case JOB_TRIALS:
        return run_trials(job, boot_info.module_count > 0 ? &boot_info.modules[0] : NULL);
    case JOB_FAULT:
        return job->processors > 1 ? processor_fault(&boot_info, job->processors, job->fault)
                                   : run_fault(job);
    case JOB_PROCESSORS:
        return processor_test(&boot_info, job->processors);
    case JOB_HAMMER:
        return processor_hammer(&boot_info, job);
    case JOB_RACE:
        return processor_race(&boot_info, job);
    case JOB_EXPERIMENT:
        return run_experiment(job);
    case JOB_MISUSE:
        return run_misuse(job);
    case JOB_SHELL:
        input_init(&boot_info);
        power_init(&boot_info);
        return run_shell(job, boot_info.modules, boot_info.module_count);
    case JOB_PRINT:
        return run_refused("run=print writes a trace to a file: only the host has files");
    case JOB_SMALLEST:
        return run_refused("run=smallest needs a heap of changing size: only the host has one");
    }
    panic("job %d has no meaning", (int)job->kind);
}

/* loader, information: what kernelStart.asm found in EAX and EBX. */
__attribute__((noreturn)) void kernel_main(uint32_t loader, const void *information);

void kernel_main(uint32_t loader, const void *information)
{
    struct job job;

    serial_init();                                              /* the first line out */
    screen_init();                                              /* the first line to see */
    features_require();                                         /* can it run all the rest? */
    cpu_init();                                                 /* faults become messages */
    require(boot_info_read(loader, information, &boot_info));   /* what the loader knows */
    screen_use(&boot_info);                                     /* text, points, or none? */
    require(memory_init(&boot_info, (uintptr_t)_kernel_start, (uintptr_t)_kernel_end));
    require(job_parse(boot_info.command_line, &job));           /* what to do */
    cpu_guard_null();                                           /* the loader's texts are read */
    kinitHeap();                                                /* from here on, kmalloc works */
    say_hello();
    machine_stop(do_job(&job));
}
