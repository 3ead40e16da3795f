/* SPDX-License-Identifier: MIT */
/*
 * Records what a program asks of malloc: preloaded into it (LD_PRELOAD) by `heaplab record user`.
 *
 * Idea. Every call is written down in the order in which the heap served it: what gives memory
 * back before the C library hears of it, what takes memory after, so that no address is seen
 * live twice. A realloc does both, and has two records. Records go straight into a file that is
 * mapped, a window at a time: they are there even if the program is killed, and nothing here
 * allocates. Where the disk is full, recording ends, the header says so, and the program goes on.
 *
 * The C library's own functions are called by the names under which glibc exports them beside
 * the usual ones (__libc_malloc and so on), since to look them up, as dlsym() does, may allocate.
 *
 * A child that was forked has another heap. It is seen by a page that Linux empties in children
 * (MADV_WIPEONFORK, 4.14), and gets a file of its own, or is not recorded, as LOS_RECORD_CHILDREN
 * says.
 *
 * Limits: what other libraries allocate before this one is started is not seen. A signal handler
 * that calls malloc, which POSIX forbids, may wait for ever.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The layout is known to user.py. */
enum kind { ALLOC = 1, FREE, RESIZE_BEGINS, RESIZE_ENDS, ALIGNED };

struct record {
    uint64_t address;
    uint64_t size;   /* of what takes memory */
    uint64_t caller; /* where the call returns to */
    uint32_t kind;
    uint32_t thread; /* tells which end belongs to which beginning */
};

struct header {
    char magic[8];     /* "losheap1" */
    uint64_t records;  /* complete */
    uint32_t error;    /* errno of what ended the recording; 0: nothing did */
    uint32_t process;
    char program[232]; /* its path, as far as it fits */
};

_Static_assert(sizeof(struct record) == 32, "user.py reads 32 bytes");
_Static_assert(sizeof(struct header) == 256, "user.py reads 256 bytes");

enum { WINDOW_BYTES = 1 << 20, PATH_BYTES = 512, DIGITS_MAX = 12, FILES_MAX = 1000 };

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

/* What a child must not share: zero in it, since its page is emptied. */
static struct own {
    bool is_mine;          /* false in a child that has not noticed yet */
    uint32_t lock;         /* 0: nobody has it */
    bool is_recording;
    int file;
    struct header *header; /* mapped; so is the window */
    struct record *window;
    uint64_t window_offset;
    uint32_t next, end;    /* records of the window */
} *own;

static char directory[PATH_BYTES];
static bool wants_children;
/* Its place is fixed when the program starts: to find one later may allocate. */
static _Thread_local __attribute__((tls_model("initial-exec"))) uint32_t thread;
static uint32_t threads;

/* --- the file --------------------------------------------------------------------------------- */

static char *put_number(char *end, uint32_t number)
{
    char digits[DIGITS_MAX];
    int count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    while (count > 0)
        *end++ = digits[--count];
    return end;
}

/* DIRECTORY/PROCESS.NUMBER: a process that calls exec is another program under the same number. */
static int create_file(void)
{
    for (uint32_t number = 0; number < FILES_MAX; number++) {
        char path[PATH_BYTES + 2 * DIGITS_MAX + 2];
        size_t length = strlen(directory);
        memcpy(path, directory, length);
        path[length] = '/';
        char *end = put_number(path + length + 1, (uint32_t)getpid());
        *end++ = '.';
        *put_number(end, number) = '\0';
        int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (file >= 0 || errno != EEXIST)
            return file;
    }
    return -1;
}

/* A file that may grow no further (ulimit -f) is our trouble: the program gets no signal. */
static int make_room(uint64_t offset, size_t bytes)
{
    sigset_t too_large, kept;
    sigemptyset(&too_large);
    sigaddset(&too_large, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &too_large, &kept);
    int wrong = posix_fallocate(own->file, (off_t)offset, (off_t)bytes);
    if (wrong == EFBIG)
        sigtimedwait(&too_large, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    return wrong;
}

/* Room on the disk is taken before it is written: a mapped page that has none is a SIGBUS. */
static void *map(uint64_t offset, size_t bytes)
{
    int wrong = make_room(offset, bytes);
    if (wrong != 0) {
        errno = wrong;
        return MAP_FAILED;
    }
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, own->file, (off_t)offset);
}

static void stop_recording(void)
{
    own->header->error = (uint32_t)errno;
    own->is_recording = false;
}

/* The header has a window of its own, so that it stays where it is. */
static bool next_window(void)
{
    if (own->window != NULL)
        munmap(own->window, WINDOW_BYTES);
    own->window = map(own->window_offset, WINDOW_BYTES);
    if (own->window == MAP_FAILED) {
        own->window = NULL;
        stop_recording();
        return false;
    }
    own->window_offset += WINDOW_BYTES;
    own->next = 0;
    own->end = WINDOW_BYTES / sizeof(struct record);
    return true;
}

static void begin_file(void)
{
    int kept = errno;
    own->file = create_file();
    own->header = own->file < 0 ? MAP_FAILED : map(0, WINDOW_BYTES);
    own->is_recording = own->header != MAP_FAILED;
    if (own->is_recording) {
        memcpy(own->header->magic, "losheap1", sizeof(own->header->magic));
        own->header->process = (uint32_t)getpid();
        readlink("/proc/self/exe", own->header->program, sizeof(own->header->program) - 1);
        own->window_offset = WINDOW_BYTES;
        next_window();
    }
    errno = kept;
}

/* --- whose memory this is ------------------------------------------------------------------------- */

/* In the first process, and in a child that is to be recorded. */
static void begin_process(void)
{
    own->is_mine = true;
    begin_file();
}

static bool is_chosen_process(void)
{
    const char *chosen = getenv("LOS_RECORD_PROCESS");
    return wants_children || (chosen != NULL && strtoul(chosen, NULL, 10) == (unsigned)getpid());
}

static __attribute__((constructor)) void begin(void)
{
    const char *where = getenv("LOS_RECORD_DIRECTORY");
    if (where == NULL || strlen(where) >= sizeof(directory))
        return;
    strcpy(directory, where);
    wants_children = getenv("LOS_RECORD_CHILDREN") != NULL;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || madvise(memory, page, MADV_WIPEONFORK) != 0 ||
        !is_chosen_process())
        return;
    own = memory;
    begin_process();
}

/* Returns: whether calls are recorded here; the lock is then held. */
static bool enter(void)
{
    if (own == NULL)
        return false;
    while (__atomic_exchange_n(&own->lock, 1, __ATOMIC_ACQUIRE) != 0)
        sched_yield();
    if (!own->is_mine) {
        own->is_mine = true;
        if (wants_children)
            begin_file();
    }
    if (own->is_recording && (own->next < own->end || next_window()))
        return true;
    __atomic_store_n(&own->lock, 0, __ATOMIC_RELEASE);
    return false;
}

static void note(enum kind kind, const void *address, size_t size, const void *caller)
{
    if (!enter())
        return;
    if (thread == 0)
        thread = ++threads;
    own->window[own->next++] = (struct record){(uintptr_t)address, size, (uintptr_t)caller,
                                               kind, thread};
    own->header->records++;
    __atomic_store_n(&own->lock, 0, __ATOMIC_RELEASE);
}

#define CALLER __builtin_return_address(0)

/* --- the calls ------------------------------------------------------------------------------------ */

void *malloc(size_t size)
{
    void *block = __libc_malloc(size);
    note(ALLOC, block, size, CALLER);
    return block;
}

void *calloc(size_t count, size_t size)
{
    void *block = __libc_calloc(count, size);
    note(ALLOC, block, count * size, CALLER);
    return block;
}

void free(void *block)
{
    int kept = errno;
    note(FREE, block, 0, CALLER);
    __libc_free(block);
    errno = kept;
}

static void *resize(void *block, size_t size, const void *caller)
{
    note(RESIZE_BEGINS, block, size, caller);
    void *moved = __libc_realloc(block, size);
    note(RESIZE_ENDS, moved, size, caller);
    return moved;
}

void *realloc(void *block, size_t size)
{
    return resize(block, size, CALLER);
}

void *reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return resize(block, bytes, CALLER);
}

static void *aligned(size_t align, size_t size, const void *caller)
{
    void *block = __libc_memalign(align, size);
    note(ALIGNED, block, size, caller);
    return block;
}

void *memalign(size_t align, size_t size)
{
    return aligned(align, size, CALLER);
}

void *aligned_alloc(size_t align, size_t size)
{
    return aligned(align, size, CALLER);
}

int posix_memalign(void **block, size_t align, size_t size)
{
    bool is_power_of_two = align != 0 && (align & (align - 1)) == 0;
    if (!is_power_of_two || align % sizeof(void *) != 0)
        return EINVAL;
    int kept = errno;
    void *found = aligned(align, size, CALLER);
    errno = kept;
    if (found == NULL)
        return ENOMEM;
    *block = found;
    return 0;
}

void *valloc(size_t size)
{
    return aligned((size_t)sysconf(_SC_PAGESIZE), size, CALLER);
}

void *pvalloc(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return aligned(page, (size + page - 1) / page * page, CALLER);
}
