#include "cbor_item.h"

#include <cbor/encoding.h>
#include <cbor/streaming.h>

static void note(void *context, enum cbor_major major, uint64_t value)
{
    struct item *found = context;
    found->major = major;
    found->value = value;
}

static void on_uint8(void *context, uint8_t value) { note(context, CBOR_UINT, value); }
static void on_uint16(void *context, uint16_t value) { note(context, CBOR_UINT, value); }
static void on_uint32(void *context, uint32_t value) { note(context, CBOR_UINT, value); }
static void on_uint64(void *context, uint64_t value) { note(context, CBOR_UINT, value); }
static void on_negint8(void *context, uint8_t value) { note(context, CBOR_NEGATIVE, value); }
static void on_negint16(void *context, uint16_t value) { note(context, CBOR_NEGATIVE, value); }
static void on_negint32(void *context, uint32_t value) { note(context, CBOR_NEGATIVE, value); }
static void on_negint64(void *context, uint64_t value) { note(context, CBOR_NEGATIVE, value); }
static void on_array(void *context, size_t count) { note(context, CBOR_ARRAY, count); }
static void on_map(void *context, size_t count) { note(context, CBOR_MAP, count); }
static void on_tag(void *context, uint64_t number) { note(context, CBOR_TAG, number); }
static void on_boolean(void *context, bool value) { note(context, CBOR_SIMPLE, value ? 21 : 20); }
static void on_null(void *context) { note(context, CBOR_SIMPLE, 22); }

static void on_bytes(void *context, cbor_data data, size_t size)
{
    note(context, CBOR_BYTES, size);
    ((struct item *)context)->content = bytes_of(data, size);
}

static void on_text(void *context, cbor_data data, size_t size)
{
    note(context, CBOR_TEXT, size);
    ((struct item *)context)->content = bytes_of(data, size);
}

/* What is not named here (indefinite lengths, floats, other simple values) leaves no item. */
static struct cbor_callbacks callbacks(void)
{
    struct cbor_callbacks to = cbor_empty_callbacks;
    to.uint8 = on_uint8, to.uint16 = on_uint16, to.uint32 = on_uint32, to.uint64 = on_uint64;
    to.negint8 = on_negint8, to.negint16 = on_negint16;
    to.negint32 = on_negint32, to.negint64 = on_negint64;
    to.byte_string = on_bytes, to.string = on_text;
    to.array_start = on_array, to.map_start = on_map, to.tag = on_tag;
    to.boolean = on_boolean, to.null = on_null;
    return to;
}

size_t write_head(enum cbor_major major, uint64_t value, uint8_t *to, size_t room)
{
    switch (major) {
    case CBOR_UINT:
        return cbor_encode_uint(value, to, room);
    case CBOR_NEGATIVE:
        return cbor_encode_negint(value, to, room);
    case CBOR_BYTES:
        return cbor_encode_bytestring_start((size_t)value, to, room);
    case CBOR_TEXT:
        return cbor_encode_string_start((size_t)value, to, room);
    case CBOR_ARRAY:
        return cbor_encode_array_start((size_t)value, to, room);
    case CBOR_MAP:
        return cbor_encode_map_start((size_t)value, to, room);
    case CBOR_TAG:
        return cbor_encode_tag(value, to, room);
    default:
        return value == 22 ? cbor_encode_null(to, room) : cbor_encode_bool(value == 21, to, room);
    }
}

/* A tag below 24, which is one byte: libcbor 0.8 knows none from 6 to 20, COSE's 18 among them. */
static bool is_short_tag(struct bytes from)
{
    return from.size > 0 && from.data[0] >> 5 == CBOR_TAG && (from.data[0] & 0x1f) < 24;
}

size_t read_item(struct bytes from, struct item *found)
{
    if (is_short_tag(from)) {
        note(found, CBOR_TAG, from.data[0] & 0x1f);
        return 1;
    }
    struct cbor_callbacks to = callbacks();
    uint8_t shortest[MAX_HEAD];
    struct cbor_decoder_result read = cbor_stream_decode(from.data, from.size, &to, found);
    if (read.status != CBOR_DECODER_FINISHED || found->major == CBOR_NOTHING)
        return 0;
    size_t head = read.read - found->content.size;
    return head == write_head(found->major, found->value, shortest, MAX_HEAD) ? read.read : 0;
}
