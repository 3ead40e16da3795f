/* SPDX-License-Identifier: MIT */
#include "trace_builder.h"

#include "memory.h"

static uint32_t power_of_two_above(uint32_t number)
{
    uint32_t power = 1;
    while (power <= number)
        power *= 2;
    return power;
}

bool trace_builder_start(struct trace_builder *builder, uint32_t operations_max,
                         uint32_t live_max)
{
    struct trace *trace = builder->trace;
    *trace = (struct trace){0};
    *builder = (struct trace_builder){
        .trace = trace,
        .operations_max = operations_max,
        .live_max = power_of_two_above(live_max),
    };
    trace->operations = scratch_alloc(operations_max * (uint32_t)sizeof(*trace->operations));
    builder->live = scratch_alloc(builder->live_max * (uint32_t)sizeof(*builder->live));
    builder->places = scratch_alloc(builder->live_max * (uint32_t)sizeof(*builder->places));
    builder->free_ids = scratch_alloc(builder->live_max * (uint32_t)sizeof(*builder->free_ids));
    return trace->operations != NULL && builder->live != NULL && builder->places != NULL &&
           builder->free_ids != NULL;
}

static void add(struct trace_builder *builder, struct trace_operation operation)
{
    struct trace *trace = builder->trace;
    trace->operations[trace->operation_count++] = operation;
}

/* place: counted from the first block there ever was. */
static struct live_block *live_at(struct trace_builder *builder, uint32_t place)
{
    return &builder->live[place & (builder->live_max - 1)];
}

static void put(struct trace_builder *builder, uint32_t place, struct live_block block)
{
    *live_at(builder, place) = block;
    builder->places[block.id] = place;
}

static uint32_t take_id(struct trace_builder *builder)
{
    if (builder->free_id_count > 0)
        return builder->free_ids[--builder->free_id_count];
    return builder->trace->id_count++;
}

/* Returns: whether the trace has no room for another operation. */
static bool is_full(struct trace_builder *builder)
{
    if (builder->trace->operation_count == builder->operations_max)
        builder->overflowed = true;
    return builder->overflowed;
}

uint32_t trace_builder_alloc(struct trace_builder *builder, uint32_t size)
{
    if (builder->live_count == builder->live_max)
        builder->overflowed = true;
    if (is_full(builder))
        return UINT32_MAX;
    struct live_block block = {.id = take_id(builder), .size = size};
    put(builder, builder->first + builder->live_count++, block);
    builder->requested_bytes += size;
    if (builder->requested_bytes > builder->trace->peak_requested_bytes)
        builder->trace->peak_requested_bytes = builder->requested_bytes;
    add(builder, (struct trace_operation){.kind = TRACE_ALLOC, .id = block.id, .size = size});
    return block.id;
}

static void add_free(struct trace_builder *builder, struct live_block block)
{
    if (is_full(builder))
        return;
    builder->live_count--;
    builder->requested_bytes -= block.size;
    builder->free_ids[builder->free_id_count++] = block.id;
    add(builder, (struct trace_operation){.kind = TRACE_FREE, .id = block.id});
}

static void free_at(struct trace_builder *builder, uint32_t place)
{
    uint32_t newest = builder->first + builder->live_count - 1;
    struct live_block block = *live_at(builder, place);
    put(builder, place, *live_at(builder, newest));
    add_free(builder, block);
}

void trace_builder_free(struct trace_builder *builder, uint32_t age)
{
    free_at(builder, builder->first + builder->live_count - 1 - age);
}

void trace_builder_free_id(struct trace_builder *builder, uint32_t id)
{
    if (id >= builder->trace->id_count)
        return;
    uint32_t place = builder->places[id];
    if (place - builder->first < builder->live_count && live_at(builder, place)->id == id)
        free_at(builder, place);
}

void trace_builder_free_oldest(struct trace_builder *builder)
{
    struct live_block block = *live_at(builder, builder->first);
    builder->first++;
    add_free(builder, block);
}

void trace_builder_measure_from_here(struct trace_builder *builder)
{
    builder->trace->build_up_operations = builder->trace->operation_count;
}
