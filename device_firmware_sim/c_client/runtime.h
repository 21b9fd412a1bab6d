/* The interpreter of networks, behind two calls, so that any can be plugged in. */
#ifndef RUNTIME_H
#define RUNTIME_H

#include "manifest.h"
#include "result.h"

enum dtype { DTYPE_INT8, DTYPE_UINT8, DTYPE_FLOAT32 };

/* What a loaded network takes and gives. */
struct network {
    enum dtype input_dtype;
    struct shape input_shape;
    struct shape output_shape; /* of the first output */
};

struct runtime {
    /* CODE_OK, CODE_MALFORMED (no network), CODE_ARENA_TOO_SMALL, CODE_MISSING_OPERATOR, or
     * CODE_SELF_TEST_FAILED where the interpreter itself does not work. */
    enum result_code (*load)(struct runtime *runtime, const char *slot_path,
                             struct network *network);
    /* Runs the network once on the file's bytes. At most *size bytes of its first output, and
     * then in *size how many there were. */
    bool (*run)(struct runtime *runtime, const char *slot_path, const char *input_path,
                uint8_t *output, size_t *size);
};

#endif
