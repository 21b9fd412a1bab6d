/* A view of bytes that somebody else owns. */
#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    const uint8_t *data;
    size_t size;
};

struct bytes bytes_of(const void *data, size_t size);
struct bytes bytes_of_text(const char *text);
bool bytes_equal(struct bytes one, struct bytes other);
bool bytes_are_text(struct bytes one, const char *text);

/* Writes 2 * size digits, lower case, and a NUL. */
void hex_write(char *out, struct bytes from);
/* Reads exactly size bytes from 2 * size digits at `text`, which may go on after them. */
bool hex_read(uint8_t *out, size_t size, const char *text);
/* A UUID as text: lower case, with dashes; UUID_CHARS and a NUL. */
void uuid_write(char *out, const uint8_t *uuid);

void big_endian_32(uint8_t *out, uint32_t value);
/* ISO-HDLC: `123456789` gives cbf43926. */
uint32_t crc32_of(struct bytes of);
bool utf8_is_valid(struct bytes text);

#endif
