/* SPDX-License-Identifier: MIT */
/* Lets whoever starts a program for each input, as AFL++ does, drive a fuzzer: FILE, or stdin. */
#include <stdio.h>

#include "budget.h"

enum { INPUT_BYTES_MAX = 1 << 16 };

int main(int count, char **arguments)
{
    static uint8_t input[INPUT_BYTES_MAX];
    FILE *file = count > 1 ? fopen(arguments[1], "rb") : stdin;
    if (file == NULL) {
        perror(arguments[1]);
        return 1;
    }
    return LLVMFuzzerTestOneInput(input, fread(input, 1, sizeof(input), file));
}
