/* SPDX-License-Identifier: MIT */
#include "byte_map_rig.h"

#include <stdio.h>
#include <string.h>

#include "cases.h"
#include "policy.h"

/* The encoding, written down a second time on purpose: the tests pin it. */
static const char letters[] = ".Fr";

static uint8_t byte_of(char letter)
{
    const char *at = strchr(letters, letter);
    if (at == NULL)
        fail_msg("'%c' is no letter of a picture", letter);
    return (uint8_t)(at - letters);
}

struct host_heap *rig_heap(const char *picture)
{
    uint32_t blocks = (uint32_t)strlen(picture);
    struct host_heap *host = host_heap_new(tested_strategy, blocks);
    memset(host->heap.region.arena, 0, host->heap.region.arena_bytes);
    for (uint32_t i = 0; i < blocks; i++)
        host->heap.region.map[i] = byte_of(picture[i]);
    return host;
}

static void draw(const struct host_heap *host, char *picture)
{
    uint32_t blocks = host->heap.region.map_bytes;
    for (uint32_t i = 0; i < blocks; i++) {
        uint8_t byte = host->heap.region.map[i];
        picture[i] = byte < 3 ? letters[byte] : '?';
    }
    picture[blocks] = '\0';
}

void rig_assert_map(const struct host_heap *host, const char *picture, const char *claim)
{
    char drawn[RIG_BLOCKS_MAX + 1];
    draw(host, drawn);
    if (strcmp(drawn, picture) != 0)
        fail_msg("%s: the map is %s; expected %s", claim, drawn, picture);
}

static void try_placement(const struct placement *row, rover_place *rover)
{
    struct host_heap *host = rig_heap(row->before);
    if (rover != NULL)
        *rover(host) = row->rover;
    tested_strategy->alloc(&host->heap, row->blocks * RIG_BLOCK_BYTES, row->align);
    rig_assert_map(host, row->after, row->claim);
    if (rover != NULL && *rover(host) != row->rover_after)
        fail_msg("%s: the rover is %u; expected %u", row->claim, *rover(host), row->rover_after);
    host_heap_delete(host);
}

void rig_placements(const struct placement *rows, size_t count, rover_place *rover)
{
    for (size_t i = 0; i < count; i++)
        try_placement(&rows[i], rover);
}

/* What the model knows: of each block, the run it belongs to (0: free). */
struct model {
    struct host_heap *host;
    uint32_t run_of[RIG_BLOCKS_MAX];
    uint32_t runs; /* ever made */
    uint32_t rover;
};

static void model_compare(const struct model *model, uint32_t call)
{
    char expected[RIG_BLOCKS_MAX + 1];
    char claim[64];
    uint32_t blocks = model->host->heap.region.map_bytes;
    for (uint32_t i = 0; i < blocks; i++) {
        bool rest = i > 0 && model->run_of[i] == model->run_of[i - 1];
        expected[i] = model->run_of[i] == 0 ? '.' : rest ? 'r' : 'F';
    }
    expected[blocks] = '\0';
    snprintf(claim, sizeof(claim), "seed %u, call %u", tested_seed, call);
    rig_assert_map(model->host, expected, claim);
}

static void model_set(struct model *model, uint32_t first, uint32_t blocks, uint32_t run)
{
    for (uint32_t i = first; i < first + blocks; i++)
        model->run_of[i] = run;
}

static uint32_t model_run_blocks(const struct model *model, uint32_t first)
{
    uint32_t behind = first;
    while (behind < model->host->heap.region.map_bytes &&
           model->run_of[behind] == model->run_of[first])
        behind++;
    return behind - first;
}

static uint8_t *model_address(const struct model *model, uint32_t block)
{
    return model->host->heap.region.arena + block * RIG_BLOCK_BYTES;
}

static int model_place(const struct model *model, policy *policy, uint32_t blocks,
                       uint32_t align)
{
    struct policy_view view = {.heap = &model->host->heap, .rover = model->rover};
    for (uint32_t i = 0; i < model->host->heap.region.map_bytes; i++)
        view.used[i] = model->run_of[i] != 0;
    return policy(&view, blocks, align);
}

static void model_alloc(struct model *model, policy *policy, struct random *random)
{
    uint32_t blocks = 1 + random_below(random, random_below(random, 4) == 0 ? 40 : 6);
    uint32_t align = 8U << (random_below(random, 3) == 0 ? random_below(random, 8) : 0);
    int first = model_place(model, policy, blocks, align);
    uint32_t size = blocks * RIG_BLOCK_BYTES - random_below(random, RIG_BLOCK_BYTES);
    uint8_t *address = tested_strategy->alloc(&model->host->heap, size, align);
    uint8_t *expected = first == POLICY_NONE ? NULL : model_address(model, (uint32_t)first);
    if (address != expected)
        fail_msg("seed %u: %u blocks, align %u: placed at %p; by trying every place, %p",
                 tested_seed, blocks, align, (void *)address, (void *)expected);
    if (first == POLICY_NONE)
        return;
    model_set(model, (uint32_t)first, blocks, ++model->runs);
    model->rover = ((uint32_t)first + blocks) % model->host->heap.region.map_bytes;
}

static void model_resize(struct model *model, uint32_t first, struct random *random)
{
    uint32_t had = model_run_blocks(model, first);
    uint32_t wanted = 1 + random_below(random, 12);
    bool fits = true;
    for (uint32_t i = first + had; i < first + wanted; i++)
        fits = fits && i < model->host->heap.region.map_bytes && model->run_of[i] == 0;
    bool did = tested_strategy->resize(&model->host->heap, model_address(model, first),
                                       wanted * RIG_BLOCK_BYTES);
    if (did != fits)
        fail_msg("seed %u: resizing %u blocks to %u said %d; expected %d", tested_seed, had,
                 wanted, did, fits);
    if (!fits)
        return;
    uint32_t run = model->run_of[first];
    model_set(model, first, had, 0);
    model_set(model, first, wanted, run);
}

static void model_step(struct model *model, policy *policy, struct random *random)
{
    uint32_t first = random_below(random, model->host->heap.region.map_bytes);
    while (first > 0 && model->run_of[first] == model->run_of[first - 1])
        first--;
    if (model->run_of[first] == 0 || random_below(random, 3) == 0) {
        model_alloc(model, policy, random);
    } else if (random_below(random, 4) == 0) {
        model_resize(model, first, random);
    } else {
        assert_true(tested_strategy->free(&model->host->heap, model_address(model, first)));
        model_set(model, first, model_run_blocks(model, first), 0);
    }
}

void byte_map_placements_equal_those_found_by_trying_every_place(void **state)
{
    enum { CALLS = 4000 };
    static const uint32_t map_bytes[] = {8, 16, 72, 256};
    policy *policy = policy_of(tested_strategy);
    (void)state;
    assert_non_null(policy);
    for (uint32_t m = 0; m < sizeof(map_bytes) / sizeof(map_bytes[0]); m++) {
        struct model model = {.host = host_heap_new(tested_strategy, map_bytes[m])};
        struct random random;
        random_seed(&random, tested_seed + m);
        for (uint32_t call = 1; call <= CALLS; call++) {
            model_step(&model, policy, &random);
            model_compare(&model, call);
        }
        host_heap_delete(model.host);
    }
}

static const char sample[] = "FrrFFr..F...Frr.";

void byte_map_mutants_of_i1_are_named(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < sizeof(sample) - 1; i++)
        for (uint32_t value = 3; value <= 0xFF; value++) {
            struct host_heap *host = rig_heap("................");
            host->heap.region.map[i] = (uint8_t)value;
            assert_label(tested_strategy->check(&host->heap), "I1");
            host_heap_delete(host);
        }
}

void byte_map_mutants_of_i2_are_named(void **state)
{
    static const char *const mutants[] = {
        "rrrFFr..F...Frr.", /* a run from block 0 has lost its first block */
        ".rrFFr..F...Frr.", /* its first byte was cleared */
        "FrrFFr..F...F.r.", /* a hole in the middle of a run */
        "FrrFFr.rF...Frr.", /* a REST byte in a hole, before a run */
        "FrrFFr..F...Fr.r", /* a REST byte in the last block */
    };
    (void)state;
    struct host_heap *sound = rig_heap(sample);
    host_heap_assert_sound(sound, "nothing at all");
    host_heap_delete(sound);
    for (uint32_t i = 0; i < sizeof(mutants) / sizeof(mutants[0]); i++) {
        struct host_heap *host = rig_heap(mutants[i]);
        assert_label(tested_strategy->check(&host->heap), "I2");
        assert_label(heap_check(tested_strategy, &host->heap), "I2");
        host_heap_delete(host);
    }
}

void byte_map_free_clears_its_run_and_no_more(void **state)
{
    static const struct {
        const char *before;
        uint32_t block;
        bool result;
        const char *after;
    } rows[] = {
        {"FrrFFr..F...Frrr", 0, true, "...FFr..F...Frrr"},
        {"FrrFFr..F...Frrr", 3, true, "Frr.Fr..F...Frrr"},
        {"FrrFFr..F...Frrr", 4, true, "FrrF....F...Frrr"},
        {"FrrFFr..F...Frrr", 8, true, "FrrFFr......Frrr"},
        {"FrrFFr..F...Frrr", 12, true, "FrrFFr..F......."},
        {"FrrFFr..F...FrrF", 15, true, "FrrFFr..F...Frr."},
        {"FrrFFr..F...Frrr", 1, false, "FrrFFr..F...Frrr"},
        {"FrrFFr..F...Frrr", 6, false, "FrrFFr..F...Frrr"},
        {"FrrFFr..F...Frrr", 15, false, "FrrFFr..F...Frrr"},
        {"FrrFFr..F...Frrr", 16, false, "FrrFFr..F...Frrr"},
        {"Frrrrrrrrrrrrrrr", 0, true, "................"},
    };
    (void)state;
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct host_heap *host = rig_heap(rows[i].before);
        void *address = host->heap.region.arena + rows[i].block * RIG_BLOCK_BYTES;
        assert_int_equal(tested_strategy->free(&host->heap, address), rows[i].result);
        rig_assert_map(host, rows[i].after, "free");
        host_heap_delete(host);
    }
}

void byte_map_resize_changes_its_run_and_no_more(void **state)
{
    static const struct {
        const char *before;
        uint32_t block;
        uint32_t size;
        bool result;
        const char *after;
    } rows[] = {
        {"FrrF....", 0, 192, true, "FrrF...."},
        {"FrrF....", 0, 129, true, "FrrF...."},
        {"FrrF....", 0, 128, true, "Fr.F...."},
        {"FrrF....", 0, 1, true, "F..F...."},
        {"FrrF....", 0, 193, false, "FrrF...."},
        {"FrrF....", 3, 65, true, "FrrFr..."},
        {"FrrF....", 3, 320, true, "FrrFrrrr"},
        {"FrrF....", 3, 321, false, "FrrF...."},
        {"Frr..F..", 0, 320, true, "FrrrrF.."},
        {"Frr..F..", 0, 321, false, "Frr..F.."},
        {"Frr..F..", 5, 0xFFFFFFFF, false, "Frr..F.."},
        {".......F", 7, 64, true, ".......F"},
        {".......F", 7, 65, false, ".......F"},
    };
    (void)state;
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct host_heap *host = rig_heap(rows[i].before);
        void *address = host->heap.region.arena + rows[i].block * RIG_BLOCK_BYTES;
        assert_int_equal(tested_strategy->resize(&host->heap, address, rows[i].size),
                         rows[i].result);
        rig_assert_map(host, rows[i].after, "resize");
        host_heap_delete(host);
    }
}

void byte_map_random_maps_are_named_or_sound(void **state)
{
    enum { MAPS = 20000, BLOCKS = 16 };
    uint32_t accepted = 0;
    (void)state;
    struct random random;
    random_seed(&random, tested_seed);
    struct host_heap *host = host_heap_new(tested_strategy, BLOCKS);
    for (uint32_t i = 0; i < MAPS; i++) {
        uint8_t *map = host->heap.region.map;
        bool broken = false;
        for (uint32_t b = 0; b < BLOCKS; b++) {
            map[b] = (uint8_t)random_below(&random, i % 8 == 0 ? 4 : 3);
            broken = broken || map[b] == 3 || (map[b] == 2 && (b == 0 || map[b - 1] == 0));
        }
        assert_int_equal(tested_strategy->check(&host->heap) != NULL, broken);
        assert_int_equal(heap_check(tested_strategy, &host->heap) != NULL, broken);
        accepted += !broken;
    }
    assert_true(accepted > 0 && accepted < MAPS);
    host_heap_delete(host);
}
