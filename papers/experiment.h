/* SPDX-License-Identifier: MIT */
/*
 * The experiments that need a heap to play with, rather than a trace to replay: host-papers
 * EXPERIMENT [WORDS...] [FILE.rep]. Each says its record as one line, "result: {...}", and what
 * is wrong as "error: ...", like a kernel (docs/runner.md).
 */
#ifndef PAPERS_EXPERIMENT_H
#define PAPERS_EXPERIMENT_H

#include "heap_strategy.h"
#include "text.h"

/* What an experiment is told. */
struct setup {
    const struct heap_strategy *strategy;
    uint32_t kib;          /* of arena */
    uint32_t room;         /* a workload made for kib gets so many times as much */
    uint32_t seed;
    uint32_t scale;        /* a workload's sizes are so many times as large */
    uint32_t operations;   /* of a trace or workload, at most */
    uint32_t size, number; /* as the experiment says */
    bool until_failure;    /* ends at the first request that is refused */
    bool textbook;         /* sizes are those of the CS:APP malloc lab's textbook blocks */
    const char *workload;  /* NULL: there is none */
    const char *sizes;     /* the distribution of sizes; NULL: there is none */
    const char *out;       /* a file for a trace; NULL: there is none */
    struct text trace;     /* .rep text; empty if there is none */
};

/* Returns: NULL; else what is wrong, in words. */
typedef const char *experiment(const struct setup *setup);

/* Replays a workload or trace, and counts. */
experiment experiment_play;

/* Robson's adversary, which looks where blocks lie. size: log2 of the largest request;
 * number: of units that are live. */
experiment experiment_robson;

/* A saturated queue. size: the mean request in units; number: of requests. */
experiment experiment_queue;

/* What is granted for each request of 1 to size units, once each, from number units on. */
experiment experiment_rounding;

/* Says how far an experiment has come. */
void say_progress(uint32_t done, uint32_t total);

#endif
