#include "shape.h"

bool shapes_are_equal(const struct shape *one, const struct shape *other)
{
    if (one->lengths_count != other->lengths_count)
        return false;
    for (size_t i = 0; i < one->lengths_count; i++)
        if (one->lengths[i] != other->lengths[i])
            return false;
    return true;
}

uint64_t shape_elements(const struct shape *shape)
{
    uint64_t elements = 1;
    for (size_t i = 0; i < shape->lengths_count; i++)
        elements *= shape->lengths[i];
    return elements;
}
