/* SPDX-License-Identifier: MIT */
#include "runner.h"

#include "console.h"
#include "failing_tests.h"
#include "heap.h"
#include "heap_check.h"
#include "heap_tests.h"
#include "misuse.h"
#include "record.h"
#include "replay.h"
#include "trace.h"
#include "workload.h"

enum machine_status run_refused(const char *wrong)
{
    console_print("error: %s\n", wrong);
    return MACHINE_FAILED;
}

static bool is_skipped(const char *verdict)
{
    return verdict != NULL && __builtin_memcmp(verdict, "SKIP", 4) == 0;
}

/* Returns: whether the test passed; a skipped one did. */
static bool run_test(uint32_t number, const struct heap_test *test, uint32_t seed)
{
    const char *verdict = test->run(seed);
    if (is_skipped(verdict)) {
        console_print("ok %u - %s # %s\n", number, test->name, verdict);
        return true;
    }
    const char *broken = heap_check(kheap_strategy(), kheap());
    if (verdict == NULL && broken == NULL) {
        console_print("ok %u - %s\n", number, test->name);
        return true;
    }
    console_print("not ok %u - %s\n", number, test->name);
    if (verdict != NULL)
        console_print("# %s\n", verdict);
    if (broken != NULL)
        console_print("# afterwards the heap is broken: %s\n", broken);
    console_print("# seed=%u\n", seed);
    return false;
}

enum machine_status run_tests(const struct job *job)
{
    uint32_t failed = 0;
    uint32_t count = heap_tests_count + failing_tests_count;
    misuse_set_policy(MISUSE_IGNORE); /* the tests misuse the heap on purpose */
    console_print("1..%u\n", count);
    for (uint32_t i = 0; i < heap_tests_count; i++)
        failed += !run_test(i + 1, &heap_tests[i], job->seed);
    for (uint32_t i = 0; i < failing_tests_count; i++)
        failed += !run_test(heap_tests_count + i + 1, &failing_tests[i], job->seed);
    console_print("# %u of %u failed\n", failed, count);
    return failed == 0 ? MACHINE_DONE : MACHINE_FAILED;
}

static const char *find_unscaled(const struct job *job, const struct boot_module *module,
                                 struct trace *trace)
{
    bool has_workload = job->workload[0] != '\0';
    if (has_workload && module != NULL)
        return "there are both a workload= and a boot module: which is to be replayed?";
    if (has_workload)
        return workload_make(text_of(job->workload), job->seed,
                             kheap()->region.arena_bytes / job->scale, job->operations, trace);
    if (module == NULL)
        return "there is no trace: it is the first boot module, or named by workload=";
    const struct text text = {(const char *)module->start, (const char *)module->end};
    return trace_read(text, job->operations, trace);
}

const char *run_find_trace(const struct job *job, const struct boot_module *module,
                           struct trace *trace)
{
    const char *wrong = find_unscaled(job, module, trace);
    return wrong != NULL || job->scale == 1 ? wrong : trace_scale(trace, job->scale);
}

enum machine_status run_replay(const struct job *job, const struct boot_module *module)
{
    static struct trace trace;
    static struct replay replay;
    const char *wrong = run_find_trace(job, module, &trace);
    if (wrong == NULL)
        wrong = replay_trace(&trace, job, &replay);
    if (wrong != NULL)
        return run_refused(wrong);
    record_report(&trace, job, &replay);
    record_print(&trace, job, &replay);
    return MACHINE_DONE;
}

enum machine_status run_fault(const struct job *job)
{
    machine_provoke(job->fault);
    return run_refused("run=fault: this machine went on as if nothing had happened");
}
