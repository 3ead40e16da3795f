/* SPDX-License-Identifier: MIT */
/*
 * Magazines: each processor keeps blocks that were freed lately and serves requests from them,
 * without the heap's lock and without the strategy. Included by magazine_heap.h alone.
 *
 * Source: J. Bonwick and J. Adams, "Magazines and Vmem: Extending the Slab Allocator to Many CPUs
 * and Arbitrary Resources", USENIX 2001, section 3. Departs from it in four things. A request
 * does not come from a cache of its own, but is of the size class it falls into. A magazine is
 * a chain through its blocks, not an array of addresses: nothing is kept in a free block that
 * were worth keeping, so magazines need no memory, and there always is one. And what is
 * loaded when a processor has nothing left is cut out of one block of the strategy's (depot.h), as
 * their slabs are. The depot gives back only when memory is short, and not what was of no use for a
 * while; what remains it keeps in magazines of which the last may not be full.
 *
 * Idea. For each class a processor has a loaded magazine and the one that was loaded before. A
 * request takes a block from the loaded one, a free puts it there. If that cannot be, because it
 * is empty or full, the two are exchanged; if that does not help, the previous one is exchanged
 * for a full or an empty one at the depot, which is common to all. So between two visits to the
 * depot there are at least as many calls as a magazine has blocks.
 *
 * Who is at a processor's magazines has taken heap_own.is_free: mostly the processor itself,
 * with interrupts kept out, for a dozen instructions. Others take it when memory is short, to
 * empty them, and to walk, check or count the heap; the processor then waits. Who has it waits for
 * nothing, unless it has the heap's lock, too: so nobody waits in a circle.
 *
 * What a free block's class is, and so where it goes, is in a table beside the heap: a byte for
 * each 16 bytes of region, since a block with 16 bytes for its owner shares none of these with
 * another block's start.
 *
 *   0          no block starts here
 *   1 to 28    a block of that class starts here
 *   LARGE      a block that goes back to the strategy at once: larger than any class, or
 *              aligned, or resized
 *   | CUT      it was cut out of one of the strategy's blocks, and is none itself
 *   | FIRST    the first that was cut out of it
 *   | PARKED   it lies in a magazine. Only while somebody looks, who has marked all of them
 *
 * Invariants:
 *   M1: a parked block's entry has the class of its magazine
 *   M2: a magazine has as many blocks as is said of it
 *   M3: no block is parked twice
 *
 * Cost: of a hit, 19 instructions in kmalloc and 21 in kfree.
 */
#ifndef MM_MAGAZINE_H
#define MM_MAGAZINE_H

enum {
    MAGAZINE_UNIT_LOG2 = 4,
    MAGAZINE_UNIT_BYTES = 1 << MAGAZINE_UNIT_LOG2,
    MAGAZINE_UNITS_MAX = KERNEL_HEAP_REGION_BYTES_MAX / MAGAZINE_UNIT_BYTES + 1,
};

enum magazine_entry {
    MAGAZINE_NONE = 0,
    MAGAZINE_CLASS_MAX = 28,
    MAGAZINE_LARGE = HEAP_OWN_CLASSES - 1,
    MAGAZINE_CLASS_MASK = HEAP_OWN_CLASSES - 1,
    MAGAZINE_FIRST = 1 << 5,
    MAGAZINE_CUT = 1 << 6,
    MAGAZINE_PARKED = 1 << 7,
    MAGAZINE_BYTES_MAX = 4096,
};

/* What the owner of a block of each class may use: four steps from one power of 2 to the next. */
static const uint16_t magazine_bytes[HEAP_OWN_CLASSES] = {
    0,    16,   32,   48,   64,   80,   96,   112,  128,  160,  192,  224,  256,  320, 384,
    448,  512,  640,  768,  896,  1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096};

#define TIMES_2(class) (class), (class)
#define TIMES_4(class) TIMES_2(class), TIMES_2(class)
#define TIMES_8(class) TIMES_4(class), TIMES_4(class)
#define TIMES_16(class) TIMES_8(class), TIMES_8(class)
#define TIMES_32(class) TIMES_16(class), TIMES_16(class)

/* The class for each size, by (size - 1) / 16. */
static const uint8_t magazine_classes[] = {
    1,            2,            3,            4,            5,            6,
    7,            8,            TIMES_2(9),   TIMES_2(10),  TIMES_2(11),  TIMES_2(12),
    TIMES_4(13),  TIMES_4(14),  TIMES_4(15),  TIMES_4(16),  TIMES_8(17),  TIMES_8(18),
    TIMES_8(19),  TIMES_8(20),  TIMES_16(21), TIMES_16(22), TIMES_16(23), TIMES_16(24),
    TIMES_32(25), TIMES_32(26), TIMES_32(27), TIMES_32(28)};

_Static_assert(sizeof(magazine_classes) == MAGAZINE_BYTES_MAX / MAGAZINE_UNIT_BYTES,
               "every size up to the largest class has a class");

static uint8_t magazine_table[MAGAZINE_UNITS_MAX];

/* --- the table ------------------------------------------------------------------------- */

static inline uint32_t magazine_region_bytes(void)
{
    return kernel_heap.region.map_bytes + kernel_heap.region.arena_bytes;
}

/* Returns: the entry of a block that starts at address. Requires: that is in the region. */
static inline uint8_t *magazine_entry_of(const void *address)
{
    return &magazine_table[guard_offset_of(address) >> MAGAZINE_UNIT_LOG2];
}

static inline uint32_t magazine_class_of_entry(uint8_t entry)
{
    return entry & MAGAZINE_CLASS_MASK;
}

/* Requires: 1 <= size <= MAGAZINE_BYTES_MAX. */
static inline uint32_t magazine_class_for(uint32_t size)
{
    return magazine_classes[(size - 1) / MAGAZINE_UNIT_BYTES];
}

static inline bool magazine_is_class(uint32_t class)
{
    return class >= 1 && class <= MAGAZINE_CLASS_MAX;
}

/* --- chains ---------------------------------------------------------------------------- */

struct magazine {
    void *first; /* NULL iff count is 0 */
    int32_t count;
};

static inline void *magazine_next(const void *block)
{
    return *(void *const *)block;
}

static inline void magazine_push(struct magazine *magazine, void *block)
{
    *(void **)block = magazine->first;
    magazine->first = block;
    magazine->count++;
}

/* Requires: it is not empty. */
static inline void *magazine_pop(struct magazine *magazine)
{
    void *block = magazine->first;
    magazine->first = magazine_next(block);
    magazine->count--;
    return block;
}

/* --- a processor's own ----------------------------------------------------------------- */

/*
 * Takes a block from the loaded magazine of this processor. In assembler, since how interrupts
 * were stays on the stack meanwhile, where the compiler would not leave it.
 * Returns: false if there is none, or somebody else is at the magazines.
 */
static inline bool own_pop(uint32_t class, void **block)
{
    void *next;
    __asm__ volatile goto(KERNEL_HEAP_KEEP_OUT
                          "lock btrl $0, " KERNEL_HEAP_OWN("is_free") "\n\t"
                          "jnc 1f\n\t"
                          "movl " KERNEL_HEAP_OWN_AT("loaded", "class") ", %[block]\n\t"
                          "testl %[block], %[block]\n\t"
                          "jz 2f\n\t"
                          "movl (%[block]), %[next]\n\t"
                          "movl %[next], " KERNEL_HEAP_OWN_AT("loaded", "class") "\n\t"
                          "incl " KERNEL_HEAP_OWN_AT("room", "class") "\n\t"
                          "movl $1, " KERNEL_HEAP_OWN("is_free") "\n\t"
                          KERNEL_HEAP_LET_IN
                          ".subsection 1\n"
                          "2:\tmovl $1, " KERNEL_HEAP_OWN("is_free") "\n"
                          "1:\t" KERNEL_HEAP_LET_IN
                          "jmp %l[declined]\n\t"
                          ".previous"
                          : [block] "=&r"(*block), [next] "=&r"(next)
                          : [class] "r"(class), KERNEL_HEAP_OWN_OPERANDS(is_free),
                            KERNEL_HEAP_OWN_FIELD(loaded), KERNEL_HEAP_OWN_FIELD(room)
                          : "memory", "cc"
                          : declined);
    return true;
declined:
    return false;
}

/*
 * Puts a block into the loaded magazine of this processor.
 * Returns: false if that is full, or somebody else is at the magazines.
 */
static inline bool own_push(uint32_t class, void *block)
{
    void *next;
    __asm__ volatile goto(KERNEL_HEAP_KEEP_OUT
                          "lock btrl $0, " KERNEL_HEAP_OWN("is_free") "\n\t"
                          "jnc 1f\n\t"
                          "decl " KERNEL_HEAP_OWN_AT("room", "class") "\n\t"
                          "js 2f\n\t"
                          "movl " KERNEL_HEAP_OWN_AT("loaded", "class") ", %[next]\n\t"
                          "movl %[next], (%[block])\n\t"
                          "movl %[block], " KERNEL_HEAP_OWN_AT("loaded", "class") "\n\t"
                          "movl $1, " KERNEL_HEAP_OWN("is_free") "\n\t"
                          KERNEL_HEAP_LET_IN
                          ".subsection 1\n"
                          "2:\tincl " KERNEL_HEAP_OWN_AT("room", "class") "\n\t"
                          "movl $1, " KERNEL_HEAP_OWN("is_free") "\n"
                          "1:\t" KERNEL_HEAP_LET_IN
                          "jmp %l[declined]\n\t"
                          ".previous"
                          : [next] "=&r"(next)
                          : [class] "r"(class), [block] "r"(block),
                            KERNEL_HEAP_OWN_OPERANDS(is_free),
                            KERNEL_HEAP_OWN_FIELD(loaded), KERNEL_HEAP_OWN_FIELD(room)
                          : "memory", "cc"
                          : declined);
    return true;
declined:
    return false;
}

/* Waits until nobody else is there. Requires: interrupts are kept out; the heap is ready. */
static inline void own_take(struct heap_own *own)
{
    while (__atomic_exchange_n(&own->is_free, 0, __ATOMIC_ACQUIRE) == 0)
        kernel_heap_pause();
}

static inline void own_give(struct heap_own *own)
{
    __atomic_store_n(&own->is_free, 1, __ATOMIC_RELEASE);
}

/* All of the following require that this caller took own. */

static inline struct magazine own_unload(struct heap_own *own, uint32_t class)
{
    struct magazine loaded = {own->loaded[class], own->size[class] - own->room[class]};
    own->loaded[class] = NULL;
    own->room[class] = own->size[class];
    return loaded;
}

static inline struct magazine own_take_previous(struct heap_own *own, uint32_t class)
{
    struct magazine previous = {own->previous[class], own->previous_count[class]};
    own->previous[class] = NULL;
    own->previous_count[class] = 0;
    return previous;
}

/* Loads a magazine, which from now on takes size blocks, or more if it has more already. */
static inline void own_load(struct heap_own *own, uint32_t class, struct magazine magazine,
                            int32_t size)
{
    own->loaded[class] = magazine.first;
    own->size[class] = magazine.count > size ? magazine.count : size;
    own->room[class] = own->size[class] - magazine.count;
}

/* What is loaded becomes the previous one. Requires: there is none. */
static inline void own_put_aside(struct heap_own *own, uint32_t class, int32_t size)
{
    struct magazine loaded = own_unload(own, class);
    own->previous[class] = loaded.first;
    own->previous_count[class] = loaded.count;
    own_load(own, class, (struct magazine){0}, size);
}

/* Returns: a block out of the loaded magazine, or of the previous one, now loaded; or NULL. */
static void *own_serve(struct heap_own *own, uint32_t class, int32_t size)
{
    if (own->loaded[class] == NULL && own->previous[class] != NULL)
        own_load(own, class, own_take_previous(own, class), size);
    if (own->loaded[class] == NULL)
        return NULL;
    void *block = own->loaded[class];
    own->loaded[class] = magazine_next(block);
    own->room[class]++;
    return block;
}

/* Returns: whether a block could be put into the loaded magazine, or into a new one. */
static bool own_accept(struct heap_own *own, uint32_t class, void *block, int32_t size)
{
    if (own->room[class] == 0 && own->previous[class] == NULL)
        own_put_aside(own, class, size);
    if (own->room[class] == 0)
        return false;
    *(void **)block = own->loaded[class];
    own->loaded[class] = block;
    own->room[class]--;
    return true;
}

#endif
