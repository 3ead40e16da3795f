/* SPDX-License-Identifier: MIT */
/* Where the peers leave the reason for a failure. Nobody reads it. */
#ifndef PEERS_ERRNO_H
#define PEERS_ERRNO_H

enum { ENOMEM = 12, EINVAL = 22 };

static int errno;

#endif
