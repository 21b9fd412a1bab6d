/* A runtime that is a program of its own. It is called as
 *
 *   COMMAND load SLOT ARENA_BUDGET_BYTES    prints two lines, `input DTYPE LENGTHS...` and
 *                                           `output DTYPE LENGTHS...`, and ends with 0;
 *                                           3: no network, 4: arena too small, 5: an operator is
 *                                           missing, anything else: it does not work
 *   COMMAND run SLOT INPUT                  prints the bytes of the first output, ends with 0
 *
 * SLOT and INPUT are files; DTYPE is int8, uint8 or float32. */
#ifndef RUNTIME_COMMAND_H
#define RUNTIME_COMMAND_H

#include "runtime.h"

struct runtime_command {
    struct runtime runtime; /* first, so that a runtime's address is the command's */
    char words[PATH_MAX_CHARS];
    const char *argv[RUNTIME_WORDS_MAX + 5];
    size_t argv_count;
    uint32_t arena_budget_bytes;
};

/* The command's words are separated by spaces. False: too long or empty. */
bool runtime_command_open(struct runtime_command *command, const char *line,
                          uint32_t arena_budget_bytes);

#endif
