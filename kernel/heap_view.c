/* SPDX-License-Identifier: MIT */
#include "heap_view.h"

#include "arithmetic.h"
#include "format.h"
#include "heap.h"
#include "heap_check.h"
#include "heap_grid.h"
#include "machine.h"

enum {
    SIDE_CELLS = 128,
    CELLS = SIDE_CELLS * SIDE_CELLS,
    CELL_POINTS = 3,
    WIDTH = SIDE_CELLS * CELL_POINTS,
    TITLE_Y = 4,
    GRID_Y = 24,
    LEGEND_Y = GRID_Y + WIDTH + 8,
    LEGEND_ROW = 18,
    COUNTS_Y = LEGEND_Y + 2 * LEGEND_ROW + 8,
    COUNTS_ROW = 16,
    COUNTS_ROWS = 4,
    GRAPH_Y = COUNTS_Y + COUNTS_ROWS * COUNTS_ROW + 28,
    GRAPH_HEIGHT = 160,
    HEIGHT = GRAPH_Y + GRAPH_HEIGHT + 8,
    COLUMN_CHARACTERS = 24,
    AGES = 16, /* frames until a change has faded */
};

/* After Okabe and Ito; told apart by lightness as well. */
enum colour {
    BACKGROUND = 0x101418,
    TEXT = 0xd8d8d8,
    SOFT = 0x8a8f94,
    NEW = 0xffffff,
    FREE = 0x2a5a78,
    LARGEST = 0xe69f00,
};

static const uint32_t colours[GRID_CELLS] = {
    [GRID_HOLE] = 0x20262c,      [GRID_LIVE_FEW] = 0x17506b, [GRID_LIVE_MANY] = 0x1f77a4,
    [GRID_LIVE] = 0x56b4e9,      [GRID_CACHED] = 0x9a6a00,   [GRID_META] = 0x8a5a7c,
};

static const char *const titles[GRID_CELLS] = {
    [GRID_HOLE] = "hole",  [GRID_LIVE_FEW] = "partly live",       [GRID_LIVE_MANY] = "mostly live",
    [GRID_LIVE] = "live",  [GRID_CACHED] = "kept whole", [GRID_META] = "the heap's",
};

/* A moment of the graph, in points above its foot. */
struct view_column {
    uint8_t free, largest;
};

static struct view {
    bool is_open;
    bool is_new;              /* nothing was seen yet: nothing is a change */
    uint8_t cells[CELLS];     /* as of the last frame */
    uint8_t fresh[CELLS];     /* frames for which a change is still bright */
    uint32_t drawn[CELLS];    /* its colour on the screen */
    uint32_t columns;         /* of the graph, in use; a ring when all are */
    uint32_t next_column;
    struct view_column graph[WIDTH]; /* the ring */
    struct view_column seen[WIDTH];  /* what is on the screen, from left to right */
} view;

/* --- the square ------------------------------------------------------------------------------ */

/* Returns: colour, as far on its way from NEW as a change's age says. */
static uint32_t faded(uint32_t colour, uint32_t fresh)
{
    uint32_t mixed = 0;
    for (uint32_t shift = 0; shift < 24; shift += 8) {
        uint32_t from = colour >> shift & 0xff, to = (uint32_t)NEW >> shift & 0xff;
        mixed |= (from + (to - from) * fresh / AGES) << shift;
    }
    return mixed;
}

static void draw_cell(uint32_t cell)
{
    uint32_t colour = faded(colours[view.cells[cell]], view.fresh[cell]);
    if (view.drawn[cell] == colour)
        return;
    view.drawn[cell] = colour;
    machine_canvas_fill(cell % SIDE_CELLS * CELL_POINTS, GRID_Y + cell / SIDE_CELLS * CELL_POINTS,
                        CELL_POINTS, CELL_POINTS, colour);
}

static void show_cells(void)
{
    static uint8_t now[CELLS];
    heap_grid(kheap_strategy(), kheap(), now, CELLS);
    for (uint32_t cell = 0; cell < CELLS; cell++) {
        if (now[cell] != view.cells[cell] && !view.is_new)
            view.fresh[cell] = AGES;
        else if (view.fresh[cell] > 0)
            view.fresh[cell]--;
        view.cells[cell] = now[cell];
        draw_cell(cell);
    }
    view.is_new = false;
}

/* --- what is written below ---------------------------------------------------------------------- */

static void write(uint32_t row, uint32_t column, const char *name, uint32_t value)
{
    char text[COLUMN_CHARACTERS + 1];
    format_text(text, sizeof(text), "%-13s%10u", name, value);
    machine_canvas_text(column * COLUMN_CHARACTERS * MACHINE_GLYPH_WIDTH,
                        COUNTS_Y + row * COUNTS_ROW, text, TEXT, BACKGROUND);
}

static void show_counts(const struct heap_view_counts *counts, const struct heap_stats *stats)
{
    write(0, 0, "operations", counts->operations);
    write(0, 1, "failures", counts->failures);
    write(1, 0, "live blocks", stats->live_blocks);
    write(1, 1, "holes", stats->free_blocks);
    write(2, 0, "requested", counts->requested_bytes);
    write(2, 1, "free", stats->free_bytes);
    write(3, 0, "granted", stats->live_bytes);
    write(3, 1, "largest hole", stats->largest_free_bytes);
}

static void show_frame(void)
{
    char title[48];
    const struct heap_region *region = &kheap()->region;
    uint32_t cell_bytes = (region->map_bytes + region->arena_bytes) / CELLS;
    format_text(title, sizeof(title), "%s: %u KiB, %u bytes a cell", kheap_strategy()->name,
                region->arena_bytes / 1024, cell_bytes);
    machine_canvas_fill(0, 0, WIDTH, HEIGHT, BACKGROUND);
    machine_canvas_text(0, TITLE_Y, title, TEXT, BACKGROUND);
    for (uint32_t i = 0; i < GRID_CELLS; i++) {
        uint32_t x = i % 3 * WIDTH / 3, y = LEGEND_Y + i / 3 * LEGEND_ROW;
        machine_canvas_fill(x, y, 12, 12, colours[i]);
        machine_canvas_text(x + 16, y, titles[i], SOFT, BACKGROUND);
    }
    machine_canvas_text(0, GRAPH_Y - 20, "free memory", FREE + 0x404040, BACKGROUND);
    machine_canvas_text(12 * MACHINE_GLYPH_WIDTH, GRAPH_Y - 20, "and the largest hole", LARGEST,
                        BACKGROUND);
    machine_canvas_text(33 * MACHINE_GLYPH_WIDTH, GRAPH_Y - 20, "over time", SOFT, BACKGROUND);
}

/* --- the graph ----------------------------------------------------------------------------------- */

static uint8_t points_of(uint32_t bytes)
{
    const struct heap_region *region = &kheap()->region;
    return (uint8_t)divide((uint64_t)bytes * GRAPH_HEIGHT,
                           region->map_bytes + region->arena_bytes);
}

/* Neighbours in time are much alike, so that few columns change when all move to the left. */
static void draw_column(uint32_t x, struct view_column column)
{
    enum { MARK = 2 };
    uint32_t mark = column.largest < MARK ? MARK : column.largest;
    if (view.seen[x].free == column.free && view.seen[x].largest == column.largest)
        return;
    view.seen[x] = column;
    machine_canvas_fill(x, GRAPH_Y, 1, GRAPH_HEIGHT - column.free, colours[GRID_HOLE]);
    machine_canvas_fill(x, GRAPH_Y + GRAPH_HEIGHT - column.free, 1, column.free, FREE);
    machine_canvas_fill(x, GRAPH_Y + GRAPH_HEIGHT - mark, 1, MARK, LARGEST);
}

static void show_graph(const struct heap_stats *stats)
{
    const struct view_column now = {points_of(stats->free_bytes),
                                    points_of(stats->largest_free_bytes)};
    view.graph[view.next_column] = now;
    view.next_column = (view.next_column + 1) % WIDTH;
    if (view.columns < WIDTH)
        draw_column(view.columns, now);
    else
        for (uint32_t x = 0; x < WIDTH; x++)
            draw_column(x, view.graph[(view.next_column + x) % WIDTH]);
    view.columns += view.columns < WIDTH;
}

/* --- from outside -------------------------------------------------------------------------------- */

void heap_view_open(void)
{
    uint32_t width, height;
    view.is_open = machine_canvas_open(&width, &height) && width >= WIDTH && height >= HEIGHT;
    heap_view_start_anew();
}

void heap_view_start_anew(void)
{
    if (!view.is_open)
        return;
    view = (struct view){.is_open = true, .is_new = true};
    for (uint32_t cell = 0; cell < CELLS; cell++)
        view.drawn[cell] = NEW + 1U; /* no colour that a cell can have */
    show_frame();
    for (uint32_t x = 0; x < WIDTH; x++)
        view.seen[x] = (struct view_column){UINT8_MAX, UINT8_MAX}; /* which nothing is */
    machine_canvas_fill(0, GRAPH_Y, WIDTH, GRAPH_HEIGHT, colours[GRID_HOLE]);
}

void heap_view_show(const struct heap_view_counts *counts)
{
    struct heap_stats stats;
    if (!view.is_open)
        return;
    heap_measure(kheap_strategy(), kheap(), &stats);
    show_cells();
    show_counts(counts, &stats);
    show_graph(&stats);
}
