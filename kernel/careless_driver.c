/* SPDX-License-Identifier: MIT */
/*
 * A network driver with two mistakes, for those who learn to find such things with a
 * debugger. docs/debugging.md finds both; read it first, or this spoils the fun.
 *
 * A card receives frames: a payload, and behind it a check sequence of 4 bytes. The driver
 * takes a block for each payload, copies it out of the card, and keeps the latest in a queue,
 * from which they are delivered in the order in which they came. Whoever gets a frame compares
 * it with the sum that was noted when it was received; at the first that differs all stops.
 *
 * The functions are kept apart, so that each has its name on the stack.
 */
#include "experiment.h"

#include <stddef.h>

#include "console.h"
#include "heap.h"

#define KEPT_APART __attribute__((noinline))

enum {
    FRAMES = 400,
    QUEUE_FRAMES = 8,
    PAYLOAD_BYTES_MIN = 14,
    PAYLOAD_BYTES_MAX = 300,
    RUNT_BYTES = 20, /* what is shorter than this was cut off by a collision */
    CHECK_SEQUENCE_BYTES = 4,
};

struct frame {
    uint32_t payload_bytes;
    uint32_t sum; /* of the payload, as it was on the card */
    uint8_t payload[];
};

/* What the card shows of the frame that it has just received. */
static struct card {
    uint8_t bytes[PAYLOAD_BYTES_MAX + CHECK_SEQUENCE_BYTES];
    uint32_t received_bytes; /* payload and check sequence */
} card;

static struct queue {
    struct frame *frames[QUEUE_FRAMES]; /* a ring; NULL: there was a runt */
    uint32_t received;
    uint32_t delivered;
    uint32_t runts;
} queue;

static uint32_t sum_of(const uint8_t *bytes, uint32_t count)
{
    uint32_t sum = count;
    for (uint32_t i = 0; i < count; i++)
        sum = sum * 31 + bytes[i];
    return sum;
}

static KEPT_APART void card_receive(struct random *random)
{
    uint32_t payload_bytes =
        PAYLOAD_BYTES_MIN + random_below(random, PAYLOAD_BYTES_MAX - PAYLOAD_BYTES_MIN + 1);
    card.received_bytes = payload_bytes + CHECK_SEQUENCE_BYTES;
    for (uint32_t i = 0; i < card.received_bytes; i++)
        card.bytes[i] = (uint8_t)random_word(random);
}

/* The first mistake: the block was made for the payload alone. */
static KEPT_APART void copy_from_card(struct frame *frame)
{
    __builtin_memcpy(frame->payload, card.bytes, card.received_bytes);
}

static KEPT_APART struct frame *take_frame(void)
{
    uint32_t payload_bytes = card.received_bytes - CHECK_SEQUENCE_BYTES;
    struct frame *frame = kmalloc(sizeof(*frame) + payload_bytes);
    if (frame == NULL)
        return NULL;
    frame->payload_bytes = payload_bytes;
    frame->sum = sum_of(card.bytes, payload_bytes);
    copy_from_card(frame);
    return frame;
}

/* The second mistake: nobody frees the runts. */
static KEPT_APART struct frame *drop_runt(struct frame *frame)
{
    if (frame == NULL || frame->payload_bytes >= RUNT_BYTES)
        return frame;
    queue.runts++;
    return NULL;
}

static KEPT_APART void enqueue(struct frame *frame)
{
    queue.frames[queue.received++ % QUEUE_FRAMES] = frame;
}

static bool is_sound(const struct frame *frame)
{
    return frame->payload_bytes <= PAYLOAD_BYTES_MAX &&
           sum_of(frame->payload, frame->payload_bytes) == frame->sum;
}

/* Returns: false iff the oldest frame is not what was received; then it stays where it is. */
static KEPT_APART bool deliver_oldest(void)
{
    struct frame *frame = queue.frames[queue.delivered % QUEUE_FRAMES];
    if (frame != NULL && !is_sound(frame)) {
        console_print("# frame %u, at %p, is not what was received\n", queue.delivered,
                      (void *)frame);
        return false;
    }
    queue.delivered++;
    kfree(frame);
    return true;
}

/* Returns: false iff the queue is full and its oldest frame cannot be delivered. */
static bool has_room(void)
{
    return queue.received - queue.delivered < QUEUE_FRAMES || deliver_oldest();
}

void experiment_careless_driver(uint32_t seed)
{
    struct random random = random_seeded(seed);
    kinitHeap();
    queue = (struct queue){0};
    while (queue.received < FRAMES && has_room()) {
        card_receive(&random);
        enqueue(drop_runt(take_frame()));
    }
    bool sound = queue.received == FRAMES;
    while (sound && queue.delivered < queue.received)
        sound = deliver_oldest();
    experiment_open_record();
    console_report(",\"received\":%u,\"delivered\":%u,\"runts\":%u,\"sound\":%s", queue.received,
                   queue.delivered, queue.runts, sound ? "true" : "false");
}
