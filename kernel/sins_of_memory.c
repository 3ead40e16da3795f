/* SPDX-License-Identifier: MIT */
/* Memory written or read that is not, or not any more, or not yet one's own. */
#include "hardening.h"
#include "scene.h"

enum { ODD_BYTES = 61, ALIGN_BYTES = 256, SHRUNK_BYTES = 40, ELEMENTS = 10, ELEMENT_BYTES = 7 };

static void write_at(uint8_t *address, uint32_t bytes)
{
    scene_sins();
    for (uint32_t i = 0; i < bytes; i++)
        ((volatile uint8_t *)address)[i] = SCENE_WRONG;
}

static uint8_t read(const uint8_t *address)
{
    return *(const volatile uint8_t *)address;
}

/* --- writing behind and before a block --------------------------------------------------------- */

static void overrun_1(struct scene *scene)
{
    write_at(scene->block + SCENE_BYTES, 1);
}

static void overrun_odd(struct scene *scene)
{
    uint8_t *odd = scene_take_other(scene, ODD_BYTES);
    write_at(odd + ODD_BYTES, 1);
}

static void overrun_terminator(struct scene *scene)
{
    scene_sins();
    *(volatile uint8_t *)(scene->block + SCENE_BYTES) = '\0';
}

static void overrun_8(struct scene *scene)
{
    write_at(scene->block + SCENE_BYTES, 8);
}

static void overrun_100(struct scene *scene)
{
    write_at(scene->block + SCENE_BYTES, 100);
}

/* A byte too many is copied from one block to another: what lies behind the first. */
static void overrun_copied(struct scene *scene)
{
    scene_sins();
    for (uint32_t i = 0; i <= SCENE_BYTES; i++)
        ((volatile uint8_t *)scene->block)[i] = scene->before[i];
}

static void overrun_jumping(struct scene *scene)
{
    write_at(scene->block + SCENE_BYTES + 300, 1);
}

static void overrun_aligned(struct scene *scene)
{
    uint8_t *aligned = scene_fill_other(scene, kmalloc_aligned(SCENE_BYTES, ALIGN_BYTES), SCENE_BYTES);
    if (aligned != NULL)
        write_at(aligned + SCENE_BYTES, 1);
}

static void overrun_array(struct scene *scene)
{
    uint8_t *array = scene_fill_other(scene, kcalloc(ELEMENTS, ELEMENT_BYTES),
                                      ELEMENTS * ELEMENT_BYTES);
    write_at(array + ELEMENTS * ELEMENT_BYTES, ELEMENT_BYTES);
}

static void overrun_large(struct scene *scene)
{
    uint8_t *large = scene_take_other(scene, scene_large_bytes());
    if (large != NULL)
        write_at(large + scene_large_bytes(), 1);
}

static void overrun_shrunk(struct scene *scene)
{
    uint8_t *shrunk = krealloc(scene->block, SHRUNK_BYTES);
    scene->block = shrunk;
    write_at(shrunk + SHRUNK_BYTES, SCENE_BYTES - SHRUNK_BYTES);
}

static void underrun_1(struct scene *scene)
{
    write_at(scene->block - 1, 1);
}

static void underrun_8(struct scene *scene)
{
    write_at(scene->block - 8, 8);
}

static void underrun_40(struct scene *scene)
{
    write_at(scene->block - 40, 40);
}

/* --- using a block that was freed -------------------------------------------------------------- */

static void write_freed_first(struct scene *scene)
{
    write_at(scene_let_go(&scene->block), 4);
}

static void write_freed_middle(struct scene *scene)
{
    write_at(scene_let_go(&scene->block) + SCENE_BYTES / 2, 1);
}

static void write_freed_last(struct scene *scene)
{
    write_at(scene_let_go(&scene->block) + SCENE_BYTES - 1, 1);
}

static void write_freed_reused(struct scene *scene)
{
    uint8_t *freed = scene_let_go(&scene->block);
    scene_take_other(scene, SCENE_BYTES);
    write_at(freed + SCENE_BYTES / 2, 1);
}

static void write_after_krealloc(struct scene *scene)
{
    uint8_t *old = scene_move_block(scene);
    if (!scene->does_not_apply)
        write_at(old + SCENE_BYTES / 2, 1);
}

static void read_freed(struct scene *scene)
{
    const uint8_t *freed = scene_let_go(&scene->block);
    scene_sins();
    scene->saw_filler = read(freed + SCENE_BYTES / 2) == HEAP_FILLER_DEAD;
}

/* A pointer in a freed block leads to a block that is still live. */
static void follow_freed(struct scene *scene)
{
    uint8_t **link = (uint8_t **)(void *)(scene->block + 64);
    *link = scene->before;
    scene_let_go(&scene->block);
    scene_sins();
    scene->saw_filler = read(*(uint8_t *volatile *)link) == HEAP_FILLER_DEAD;
}

/* --- reading what was never written --------------------------------------------------------- */

/* What an earlier owner left there must not be taken for one's own. */
static void read_uninitialised(struct scene *scene)
{
    scene_let_go(&scene->block);
    scene->other = kmalloc(SCENE_BYTES);
    scene_sins();
    scene->saw_filler = read(scene->other + SCENE_BYTES / 2) == HEAP_FILLER_CLEAN;
}

static void read_grown(struct scene *scene)
{
    uint8_t *large = scene_take_other(scene, SCENE_GROWN_BYTES);
    if (large == NULL)
        return;
    scene_let_go(&scene->other);
    scene->block = krealloc(scene->block, SCENE_GROWN_BYTES);
    scene_sins();
    scene->saw_filler = read(scene->block + SCENE_GROWN_BYTES / 2) == HEAP_FILLER_CLEAN;
}

static void read_behind(struct scene *scene)
{
    scene_sins();
    read(scene->block + SCENE_BYTES);
}

/* --- the rest ------------------------------------------------------------------------------------ */

static void leak(struct scene *scene)
{
    scene_sins();
    scene->block = NULL;
}

static void write_null(struct scene *scene)
{
    uint8_t *volatile none = kmalloc(0);
    (void)scene;
    write_at(none, 1);
}

static void write_hole(struct scene *scene)
{
    (void)scene;
    write_at(kheap()->region.arena + kheap()->region.arena_bytes / 2, 64);
}

static void write_side_array(struct scene *scene)
{
    (void)scene;
    write_at(kheap()->region.map, 16);
}

static const struct sin sins_of_memory_list[] = {
    {"overrun-1", "writes a byte behind a block", overrun_1},
    {"overrun-odd", "writes a byte behind a block of 61", overrun_odd},
    {"overrun-terminator", "writes the 0 that ends a string behind a block", overrun_terminator},
    {"overrun-8", "writes 8 bytes behind a block", overrun_8},
    {"overrun-100", "writes 100 bytes behind a block", overrun_100},
    {"overrun-copied", "copies a byte too many from block to block", overrun_copied},
    {"overrun-jumping", "writes a byte 300 bytes behind a block", overrun_jumping},
    {"overrun-aligned", "writes a byte behind an aligned block", overrun_aligned},
    {"overrun-array", "writes one element too many of kcalloc's", overrun_array},
    {"overrun-large", "writes a byte behind a quarter of the heap", overrun_large},
    {"overrun-shrunk", "writes to what krealloc took away", overrun_shrunk},
    {"underrun-1", "writes a byte before a block", underrun_1},
    {"underrun-8", "writes 8 bytes before a block", underrun_8},
    {"underrun-40", "writes 40 bytes before a block", underrun_40},
    {"write-freed-first", "writes the first word of a freed block", write_freed_first},
    {"write-freed-middle", "writes into the middle of a freed block", write_freed_middle},
    {"write-freed-last", "writes the last byte of a freed block", write_freed_last},
    {"write-freed-reused", "writes to a freed block after kmalloc was called", write_freed_reused},
    {"write-after-krealloc", "writes where a block was before krealloc moved it",
     write_after_krealloc},
    {"read-freed", "reads from a freed block", read_freed},
    {"follow-freed", "follows a pointer out of a freed block", follow_freed},
    {"read-uninitialised", "reads what it never wrote", read_uninitialised},
    {"read-grown", "reads what krealloc added", read_grown},
    {"read-behind", "reads a byte behind a block", read_behind},
    {"leak", "forgets a block", leak},
    {"write-null", "writes to what kmalloc(0) returned", write_null},
    {"write-hole", "writes to free memory", write_hole},
    {"write-side-array", "writes to the side array", write_side_array},
};

const struct sins sins_of_memory = {sins_of_memory_list, sizeof(sins_of_memory_list) / sizeof(sins_of_memory_list[0])};
