/* Single items of CBOR by libcbor: what its stateless decoder reads without taking memory, held to the
 * shortest form, and heads as its encoder writes them. */
#ifndef CBOR_ITEM_H
#define CBOR_ITEM_H

#include "cbor.h"

#define MAX_HEAD 9

/* One item's head as libcbor reads it; of a string its content, too. */
struct item {
    enum cbor_major major;
    uint64_t value;
    struct bytes content;
};

/* Reads the first item of these bytes; how many it took, 0 where there is none that will do:
 * indefinite lengths, floats, other simple values and heads that are longer than need be. */
size_t read_item(struct bytes from, struct item *found);
/* Writes a head in its shortest form; its size. */
size_t write_head(enum cbor_major major, uint64_t value, uint8_t *to, size_t room);

#endif
