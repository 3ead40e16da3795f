/* SPDX-License-Identifier: MIT */
/* The statistics of System V, which the peers declare functions of. */
#ifndef PEERS_MALLOC_H
#define PEERS_MALLOC_H

struct mallinfo {
    int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

#endif
