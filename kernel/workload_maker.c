/* SPDX-License-Identifier: MIT */
#include "workload_maker.h"

#include "arithmetic.h"

bool workload_start(struct workload_maker *maker, uint32_t build_up_operations,
                    uint32_t live_blocks)
{
    const struct trace *trace = maker->builder.trace;
    uint64_t operations = (uint64_t)build_up_operations + WORKLOAD_MEASURED_OPERATIONS;
    return operations <= UINT32_MAX / sizeof(*trace->operations) &&
           trace_builder_start(&maker->builder, (uint32_t)operations, live_blocks);
}

void workload_measure(struct workload_maker *maker, uint32_t operations)
{
    trace_builder_measure_from_here(&maker->builder);
    maker->operations_until = maker->builder.trace->operation_count +
                              (maker->operations_max < operations ? maker->operations_max
                                                                  : operations);
}

bool workload_is_complete(const struct workload_maker *maker)
{
    const struct trace_builder *builder = &maker->builder;
    return builder->overflowed || builder->trace->operation_count >= maker->operations_until;
}

uint32_t workload_percent(uint32_t bytes, uint32_t percent)
{
    return (uint32_t)divide((uint64_t)bytes * percent, 100);
}

uint32_t workload_alloc(struct workload_maker *maker)
{
    return trace_builder_alloc(&maker->builder, maker->mix->draw(&maker->random));
}

void workload_free_random(struct workload_maker *maker)
{
    trace_builder_free(&maker->builder, random_below(&maker->random, maker->builder.live_count));
}
