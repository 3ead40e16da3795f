/* SPDX-License-Identifier: MIT */
#include "experiment.h"

#include <stddef.h>

#include "console.h"
#include "heap.h"
#include "heap_strategy.h"
#include "runner.h"
#include "size_mix.h"
#include "text.h"

enum { KIB = 1024 };

static const struct {
    const char *name;
    experiment_function *run;
} experiments[] = {
    {"double-free", experiment_double_free},
    {"stale-free", experiment_stale_free},
    {"interior-free", experiment_interior_free},
    {"foreign-free", experiment_foreign_free},
    {"use-after-free", experiment_use_after_free},
    {"use-after-reuse", experiment_use_after_reuse},
    {"overrun", experiment_overrun},
    {"small-overrun", experiment_small_overrun},
    {"stale", experiment_stale},
    {"zeroing", experiment_zeroing},
    {"constructed", experiment_constructed},
    {"map-scan", experiment_map_scan},
    {"careless-driver", experiment_careless_driver},
};

static const char *running; /* the name of the one that runs */

enum machine_status run_experiment(const struct job *job)
{
    for (uint32_t i = 0; i < sizeof(experiments) / sizeof(experiments[0]); i++) {
        if (!text_is(text_of(job->experiment), experiments[i].name))
            continue;
        running = experiments[i].name;
        experiments[i].run(job->seed);
        console_report("}\n");
        return MACHINE_DONE;
    }
    return run_refused("run=experiment needs experiment=NAME; docs/runner.md has their names");
}

void experiment_open_record(void)
{
    console_report("result: {\"experiment\":\"%s\",\"strategy\":\"%s\",\"heap_kib\":%u,"
                   "\"hardening\":\"%s\"",
                   running, kheap_strategy()->name, kheap()->region.arena_bytes / KIB,
                   kheap_hardening());
}

uint32_t experiment_measure(measured_function *function, uintptr_t first, uintptr_t second,
                            uintptr_t *result)
{
    struct measured_call call = {.function = function, .first = first, .second = second};
    machine_measure(&call);
    *result = call.result;
    return call.ticks;
}

void experiment_say_list(const char *name, const uint32_t *values, uint32_t count)
{
    console_report(",\"%s\":[", name);
    for (uint32_t i = 0; i < count; i++)
        console_report(i == 0 ? "%u" : ",%u", values[i]);
    console_report("]");
}

void experiment_fill(struct random *random, uint32_t bytes)
{
    const struct size_mix *mix = size_mix_named(text_of("kernel"));
    for (uint32_t requested = 0; requested < bytes;) {
        uint32_t size = mix->draw(random);
        if (kmalloc(size) == NULL)
            return;
        requested += size;
    }
}
