#include "cbor.h"

#include "cbor_item.h"

#include <string.h>

struct cbor cbor_open(struct bytes from)
{
    struct cbor in = {from.data, from.data + from.size, false};
    return in;
}

bool cbor_is_done(const struct cbor *in)
{
    return !in->bad && in->at == in->end;
}

enum cbor_major cbor_peek(const struct cbor *in)
{
    return in->bad || in->at == in->end ? CBOR_NOTHING : (enum cbor_major)(*in->at >> 5);
}

void cbor_refuse(struct cbor *in)
{
    in->bad = true;
}

static uint64_t refused(struct cbor *in)
{
    in->bad = true;
    return 0;
}

/* The next item, which has to be of that kind. */
static struct item next(struct cbor *in, enum cbor_major major)
{
    struct item found = {CBOR_NOTHING, 0, bytes_of(in->end, 0)};
    size_t size = 0;
    if (cbor_peek(in) == major)
        size = read_item(bytes_of(in->at, (size_t)(in->end - in->at)), &found);
    if (size == 0 || found.major != major) {
        in->bad = true;
        return (struct item){CBOR_NOTHING, 0, bytes_of(in->end, 0)};
    }
    in->at += size;
    return found;
}

static uint64_t head(struct cbor *in, enum cbor_major major)
{
    return next(in, major).value;
}

uint64_t cbor_uint(struct cbor *in)
{
    return head(in, CBOR_UINT);
}

uint64_t cbor_uint_within(struct cbor *in, uint64_t least, uint64_t most)
{
    uint64_t value = cbor_uint(in);
    return value < least || value > most ? refused(in) : value;
}

int64_t cbor_int(struct cbor *in)
{
    bool negative = cbor_peek(in) == CBOR_NEGATIVE;
    uint64_t value = head(in, negative ? CBOR_NEGATIVE : CBOR_UINT);
    if (value > INT64_MAX)
        value = refused(in);
    return negative && !in->bad ? -1 - (int64_t)value : (int64_t)value;
}

struct bytes cbor_bytes(struct cbor *in)
{
    return next(in, CBOR_BYTES).content;
}

struct bytes cbor_bytes_of(struct cbor *in, size_t size)
{
    struct bytes value = cbor_bytes(in);
    in->bad = in->bad || value.size != size;
    return value;
}

/* UTF-8 has at most 4 bytes a character; limits in characters are counted by their first bytes. */
static size_t characters(struct bytes text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xc0) != 0x80;
    return count;
}

struct bytes cbor_text(struct cbor *in, size_t max_chars)
{
    struct bytes value = next(in, CBOR_TEXT).content;
    in->bad = in->bad || !utf8_is_valid(value) || characters(value) > max_chars;
    return value;
}

bool cbor_bool(struct cbor *in)
{
    uint64_t value = head(in, CBOR_SIMPLE);
    if (value != 20 && value != 21)
        in->bad = true;
    return value == 21;
}

void cbor_null(struct cbor *in)
{
    if (head(in, CBOR_SIMPLE) != 22)
        in->bad = true;
}

uint64_t cbor_array(struct cbor *in)
{
    return head(in, CBOR_ARRAY);
}

uint64_t cbor_map(struct cbor *in)
{
    return head(in, CBOR_MAP);
}

void cbor_expect_int(struct cbor *in, int64_t value)
{
    if (cbor_int(in) != value)
        in->bad = true;
}

void cbor_expect_array(struct cbor *in, uint64_t count)
{
    if (cbor_array(in) != count)
        in->bad = true;
}

void cbor_expect_map(struct cbor *in, uint64_t count)
{
    if (cbor_map(in) != count)
        in->bad = true;
}

void cbor_expect_tag(struct cbor *in, uint64_t tag)
{
    if (head(in, CBOR_TAG) != tag)
        in->bad = true;
}

static bool is_greater(struct bytes one, struct bytes other)
{
    size_t shared = one.size < other.size ? one.size : other.size;
    int order = shared == 0 ? 0 : memcmp(one.data, other.data, shared);
    return order > 0 || (order == 0 && one.size > other.size);
}

void cbor_key_follows(struct cbor *in, const uint8_t *key_start, struct bytes *previous)
{
    struct bytes key = bytes_of(key_start, (size_t)(in->at - key_start));
    in->bad = in->bad || !is_greater(key, *previous);
    *previous = key;
}

int64_t cbor_int_key(struct cbor *in, struct bytes *previous)
{
    const uint8_t *start = in->at;
    int64_t key = cbor_int(in);
    cbor_key_follows(in, start, previous);
    return key;
}

void cbor_skip_scalar(struct cbor *in)
{
    switch (cbor_peek(in)) {
    case CBOR_UINT:
    case CBOR_NEGATIVE:
        cbor_int(in);
        break;
    case CBOR_BYTES:
        cbor_bytes(in);
        break;
    case CBOR_TEXT:
        cbor_text(in, SIZE_MAX);
        break;
    default:
        cbor_bool(in);
    }
}

void cbor_put_raw(struct cbor_out *out, struct bytes raw)
{
    if (raw.size > out->room - out->size) {
        out->full = true;
        return;
    }
    if (raw.size > 0)
        memcpy(out->data + out->size, raw.data, raw.size);
    out->size += raw.size;
}

void cbor_put_head(struct cbor_out *out, enum cbor_major major, uint64_t value)
{
    uint8_t head[MAX_HEAD];
    cbor_put_raw(out, bytes_of(head, write_head(major, value, head, MAX_HEAD)));
}

void cbor_put_bytes(struct cbor_out *out, struct bytes value)
{
    cbor_put_head(out, CBOR_BYTES, value.size);
    cbor_put_raw(out, value);
}

void cbor_put_text(struct cbor_out *out, const char *value)
{
    cbor_put_head(out, CBOR_TEXT, strlen(value));
    cbor_put_raw(out, bytes_of_text(value));
}

void cbor_put_bool(struct cbor_out *out, bool value)
{
    cbor_put_head(out, CBOR_SIMPLE, value ? 21 : 20);
}
