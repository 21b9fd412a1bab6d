/* The lengths of a tensor's axes, the batch axis first. */
#ifndef SHAPE_H
#define SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limits.h"

struct shape {
    size_t lengths_count;
    uint32_t lengths[SHAPE_MAX_LENGTHS];
};

bool shapes_are_equal(const struct shape *one, const struct shape *other);
/* Elements of a tensor of that shape. */
uint64_t shape_elements(const struct shape *shape);

#endif
