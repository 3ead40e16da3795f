/* SPDX-License-Identifier: MIT */
/* Where machine_bulk_put() goes when the kernel is a Linux process. */
#ifndef ARCH_HOST_BULK_H
#define ARCH_HOST_BULK_H

#include <stdbool.h>

/* Sends bulk output to a file from now on. Returns: false iff it cannot be opened. */
bool bulk_open(const char *path);

#endif
