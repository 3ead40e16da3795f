/* SPDX-License-Identifier: MIT */
/*
 * A bounded model of the heap's lock and of the exchange of magazines, for SPIN (G. J. Holzmann,
 * The SPIN Model Checker, Addison-Wesley 2004). Every interleaving of PROCESSORS processors, and
 * of an interrupt handler on the first of them, is tried. tests/locking/model_test.py does so, and
 * tries mutants of the model, each of which has to fail:
 *
 *   NO_LOCK         lock_take() and lock_give() do nothing
 *   NO_QUEUE        the first in the queue does not look whether anybody has the lock
 *   BARGE           a newcomer takes the lock if nobody has it, though others wait
 *   NO_MASK         interrupts come while a processor is at its magazines or has the lock
 *   NO_OWN          own_pop() and own_push() do not look whether somebody else is there
 *   RECLAIM_ALONE   who reclaims does not empty the other processors' magazines
 *
 * Each step is named after the function that it stands for; one that is one instruction for all
 * processors is atomic here, and others are not. A magazine holds one block; sets of blocks are
 * bit masks. At first all blocks are the strategy's, or, with ALL_LIVE, callers'. That blocks are
 * cut out of one of the strategy's is not modelled.
 */
#define PROCESSORS 2
#ifdef ALL_LIVE
#define ALL_BLOCKS 7 /* three: so many a processor can free, one more than it keeps */
#else
#define ALL_BLOCKS 3 /* two, 1 and 2: so that they run short */
#endif

/* How many calls each makes. */
#ifdef ALL_LIVE
#define CALLS(me) (2 - me)
#else
#define CALLS(me) 2
#endif
#define HANDLER_CALLS 1

#define HANDLER PROCESSORS /* its number; it runs on processor 0 */
#define ON(me) (me % PROCESSORS)

/* lock.h: the word is these two, changed as one. */
byte lock_count;  /* holder and newcomers */
byte lock_queued; /* waiters */
byte lock_next_ticket;
byte lock_now_serving;

/* heap_own.h */
bool own_is_free[PROCESSORS] = true;
byte own_loaded[PROCESSORS];
byte own_previous[PROCESSORS];

byte depot;                  /* its magazines */
#ifdef ALL_LIVE
byte strategy;               /* what it has free */
byte live = ALL_BLOCKS;      /* what callers have; the oracle's book */
#else
byte strategy = ALL_BLOCKS;
byte live;
#endif
byte held;                   /* of these, what somebody may free, whoever took it */

bool kept_out[PROCESSORS];   /* interrupts are */
bool in_handler;             /* of processor 0 */
byte has_lock;               /* how many do; the oracle's */
byte done;                   /* processors that are */

/* --- interrupts: KERNEL_HEAP_KEEP_OUT, KERNEL_HEAP_LET_IN ------------------------------ */

inline keep_out(me)
{
#ifdef NO_MASK
    skip
#else
    if
    :: me != HANDLER -> kept_out[ON(me)] = true
    :: else
    fi
#endif
}

inline let_in(me)
{
    if
    :: me != HANDLER -> kept_out[ON(me)] = false
    :: else
    fi
}

/* --- lock.h ---------------------------------------------------------------------------- */

inline lock_take(me)
{
    keep_out(me);
#ifndef NO_LOCK
    atomic { /* lock incl; jnz */
#ifdef BARGE
        was_free = (lock_count == 0);
#else
        was_free = (lock_count == 0 && lock_queued == 0);
#endif
        assert(!was_free || lock_next_ticket == lock_now_serving); /* nobody waits */
        lock_count++
    }
    if
    :: was_free
    :: else -> /* lock_wait() */
        atomic { ticket = lock_next_ticket; lock_next_ticket++ }
        atomic { lock_count--; lock_queued++ }
        lock_now_serving == ticket;
#ifdef NO_QUEUE
        atomic { lock_count++; lock_queued-- }
#else
        atomic { lock_count == 0 -> lock_count++; lock_queued-- } /* lock_try_first() */
#endif
        lock_now_serving++
    fi;
#endif
    has_lock++;
    assert(has_lock == 1)
}

inline lock_give(me)
{
    has_lock--;
#ifndef NO_LOCK
    lock_count--; /* lock decl */
#endif
    let_in(me)
}

/* --- magazine.h ------------------------------------------------------------------------ */

inline own_take(p)
{
    atomic { own_is_free[p] -> own_is_free[p] = false }
}

inline own_give(p)
{
    own_is_free[p] = true
}

/* Takes a block out of the loaded magazine, in the steps of its instructions. */
inline take_loaded(p)
{
    block = own_loaded[p];
    own_loaded[p] = own_loaded[p] & ~block
}

/* block: 0 if it declines. */
inline own_pop(me)
{
    block = 0;
    keep_out(me);
#ifdef NO_OWN
    take_loaded(ON(me));
#else
    atomic { got = own_is_free[ON(me)]; own_is_free[ON(me)] = false } /* lock btrl; jnc */
    if
    :: got -> take_loaded(ON(me)); own_give(ON(me))
    :: else
    fi;
#endif
    let_in(me)
}

/* got: whether it took block. */
inline own_push(me)
{
    keep_out(me);
#ifdef NO_OWN
    got = true;
#else
    atomic { got = own_is_free[ON(me)]; own_is_free[ON(me)] = false }
#endif
    if
    :: got ->
        if
        :: own_loaded[ON(me)] == 0 -> own_loaded[ON(me)] = block
        :: else -> got = false
        fi;
        own_give(ON(me))
    :: else
    fi;
    let_in(me)
}

inline own_serve(p)
{
    if
    :: own_loaded[p] == 0 -> own_loaded[p] = own_previous[p]; own_previous[p] = 0
    :: else
    fi;
    take_loaded(p)
}

/* got: whether there was room for block. */
inline own_accept(p)
{
    if
    :: own_loaded[p] != 0 && own_previous[p] == 0 ->
        own_previous[p] = own_loaded[p];
        own_loaded[p] = 0
    :: else
    fi;
    if
    :: own_loaded[p] == 0 -> own_loaded[p] = block; got = true
    :: else -> got = false
    fi
}

/* --- depot.h --------------------------------------------------------------------------- */

/* one: any block of a set, or 0. */
inline choose(set)
{
    if
    :: (set & 1) != 0 -> one = 1
    :: (set & 2) != 0 -> one = 2
    :: (set & 4) != 0 -> one = 4
    :: set == 0 -> one = 0
    fi
}

/* HEAP_STRATEGY.alloc(): knows no locks, so what it reads is old when it writes. */
inline strategy_alloc()
{
    choose(strategy);
    rest = strategy & ~one;
    strategy = rest;
    block = one
}

/* depot_take(), and depot_refill() if there is none. The block goes past the loaded magazine. */
inline depot_exchange()
{
    choose(depot);
    rest = depot & ~one;
    depot = rest;
    block = one;
    if
    :: block == 0 -> strategy_alloc()
    :: else
    fi
}

inline depot_serve(me)
{
    own_take(ON(me));
    own_serve(ON(me));
    if
    :: block == 0 -> depot_exchange()
    :: else
    fi;
    own_give(ON(me))
}

inline depot_accept(me)
{
    own_take(ON(me));
    own_accept(ON(me));
    if
    :: got
    :: else -> /* depot_put(own_take_previous()) */
        rest = depot | own_previous[ON(me)];
        depot = rest;
        own_previous[ON(me)] = 0;
        own_accept(ON(me));
        assert(got)
    fi;
    own_give(ON(me))
}

/* depot_take_every_own(), reclaim_all(), depot_ask_once(), depot_give_every_own() */
inline depot_ask(me)
{
#ifdef RECLAIM_ALONE
    own_take(ON(me));
    strategy = strategy | depot | own_loaded[ON(me)] | own_previous[ON(me)];
    own_loaded[ON(me)] = 0;
    own_previous[ON(me)] = 0;
#else
    own_take(0);
    own_take(1);
    strategy = strategy | depot | own_loaded[0] | own_previous[0];
    own_loaded[0] = 0;
    own_previous[0] = 0;
    strategy = strategy | own_loaded[1] | own_previous[1];
    own_loaded[1] = 0;
    own_previous[1] = 0;
#endif
    depot = 0;
    strategy_alloc();
    /* No request fails while a magazine holds what it needs. */
    assert(block != 0 || (strategy | depot | own_loaded[0] | own_previous[0] | own_loaded[1] |
                          own_previous[1]) == 0);
#ifdef RECLAIM_ALONE
    own_give(ON(me))
#else
    own_give(0);
    own_give(1)
#endif
}

/* --- magazine_heap.h ------------------------------------------------------------------- */

inline kmalloc(me)
{
    own_pop(me);
    if
    :: block == 0 -> /* magazine_serve_alone() */
        keep_out(me);
        own_take(ON(me));
        own_serve(ON(me));
        own_give(ON(me));
        let_in(me)
    :: else
    fi;
    if
    :: block == 0 -> /* magazine_serve_together() */
        lock_take(me);
        depot_serve(me);
        if
        :: block == 0 -> depot_ask(me)
        :: else
        fi;
        lock_give(me)
    :: else
    fi;
    atomic {
        assert((live & block) == 0); /* nobody has it */
        live = live | block;
        held = held | block;
        block = 0; one = 0; rest = 0; ticket = 0; was_free = false; got = false
    }
}

inline kfree(me)
{
    live = live & ~block;
    own_push(me);
    if
    :: got
    :: else -> /* magazine_accept_alone() */
        keep_out(me);
        own_take(ON(me));
        own_accept(ON(me));
        own_give(ON(me));
        let_in(me)
    fi;
    if
    :: got
    :: else ->
        lock_take(me);
        depot_accept(me);
        lock_give(me)
    fi;
    atomic { block = 0; one = 0; rest = 0; ticket = 0; was_free = false; got = false }
}

/* --- who calls ------------------------------------------------------------------------- */

inline call(me)
{
    if
    :: kmalloc(me)
    :: atomic { held != 0 -> choose(held); block = one; held = held & ~one; one = 0 };
        kfree(me)
    fi
}

/* The first that is started, process 1, is processor 0. */
proctype processor(byte me) provided (_pid != 1 || !in_handler)
{
    byte calls, block, one, rest, ticket;
    bool was_free, got;
    do
    :: calls < CALLS(me) -> call(me); calls++
    :: calls == CALLS(me) -> break
    od;
    done++
}

proctype handler(byte me)
{
    byte calls, block, one, rest, ticket;
    bool was_free, got;
    do
    :: calls < HANDLER_CALLS ->
        atomic { !kept_out[0] -> in_handler = true }
        call(me);
        calls++;
        in_handler = false
    :: calls == HANDLER_CALLS -> break
    od;
    done++
}

init
{
    held = live;
    atomic { run processor(0); run processor(1); run handler(HANDLER) }
    done == PROCESSORS + 1;
    /* Every block is somewhere, and nowhere twice. */
    assert((live | strategy | depot | own_loaded[0] | own_previous[0] | own_loaded[1] |
            own_previous[1]) == ALL_BLOCKS);
    assert(live + strategy + depot + own_loaded[0] + own_previous[0] + own_loaded[1] +
           own_previous[1] == ALL_BLOCKS);
    assert(lock_count == 0 && lock_queued == 0 && lock_next_ticket == lock_now_serving)
}
