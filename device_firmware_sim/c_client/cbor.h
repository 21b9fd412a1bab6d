/* A strict reader of CBOR (RFC 8949) in core deterministic encoding, and a small writer.
 *
 * The reader takes what it is told to expect. Anything else, a head that is not the shortest, an
 * indefinite length or keys out of order makes it `bad` for good; values read after that are zero
 * or empty. So a caller reads a whole frame and asks once, with cbor_is_done, if it was good. */
#ifndef CBOR_H
#define CBOR_H

#include "bytes.h"

enum cbor_major { CBOR_UINT, CBOR_NEGATIVE, CBOR_BYTES, CBOR_TEXT, CBOR_ARRAY, CBOR_MAP, CBOR_TAG,
                  CBOR_SIMPLE, CBOR_NOTHING };

struct cbor {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

struct cbor cbor_open(struct bytes from);
/* True where everything was as expected and nothing is left. */
bool cbor_is_done(const struct cbor *in);
enum cbor_major cbor_peek(const struct cbor *in);
void cbor_refuse(struct cbor *in);

uint64_t cbor_uint(struct cbor *in);
/* A uint that must lie between the limits. */
uint64_t cbor_uint_within(struct cbor *in, uint64_t least, uint64_t most);
int64_t cbor_int(struct cbor *in);
struct bytes cbor_bytes(struct cbor *in);
struct bytes cbor_bytes_of(struct cbor *in, size_t size);
struct bytes cbor_text(struct cbor *in, size_t max_chars);
bool cbor_bool(struct cbor *in);
void cbor_null(struct cbor *in);
uint64_t cbor_array(struct cbor *in);
uint64_t cbor_map(struct cbor *in);

/* Expectations: exactly this value, count or tag. */
void cbor_expect_int(struct cbor *in, int64_t value);
void cbor_expect_array(struct cbor *in, uint64_t count);
void cbor_expect_map(struct cbor *in, uint64_t count);
void cbor_expect_tag(struct cbor *in, uint64_t tag);

/* Start of a key: its bytes must be greater than those of the key before (RFC 8949, 4.2.1), which
 * also rules out a key that comes twice. `previous` starts empty; call after reading the key with
 * the place where it began. */
void cbor_key_follows(struct cbor *in, const uint8_t *key_start, struct bytes *previous);
int64_t cbor_int_key(struct cbor *in, struct bytes *previous);
/* Passes over an integer, bool, text or byte string. */
void cbor_skip_scalar(struct cbor *in);

struct cbor_out {
    uint8_t *data;
    size_t size;
    size_t room;
    bool full;
};

void cbor_put_head(struct cbor_out *out, enum cbor_major major, uint64_t value);
void cbor_put_bytes(struct cbor_out *out, struct bytes value);
void cbor_put_text(struct cbor_out *out, const char *value);
void cbor_put_bool(struct cbor_out *out, bool value);
void cbor_put_raw(struct cbor_out *out, struct bytes raw);

#endif
