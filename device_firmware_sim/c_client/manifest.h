/* A manifest whose signature held: check 7 of the protocol's table makes typed values of it. */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "bytes.h"
#include "cbor.h"
#include "limits.h"
#include "result.h"
#include "shape.h"

struct self_test {
    struct bytes generator;
    uint32_t seed;
    struct bytes expected; /* as int8 */
    uint32_t tolerance;
};

/* All views are into the envelope, which must live as long as this. */
struct manifest {
    uint64_t sequence;
    struct bytes vendor_id;
    struct bytes class_id;
    struct bytes digest;
    uint32_t size_bytes;
    struct bytes uri;
    struct bytes device_identifier;
    struct bytes device_id;
    struct bytes deployment;
    uint64_t issued_at;
    uint64_t expires_at;
    struct bytes block_exponents;
    bool has_arena_bytes;
    uint64_t arena_bytes;
    struct bytes operators; /* its CBOR, already checked: read it with operators_open */
    struct bytes runtime;
    struct shape input_shape; /* no lengths: not known, not checked */
    struct shape output_shape;
    bool has_self_test;
    struct self_test self_test;
};

/* CODE_OK or CODE_MALFORMED. */
enum result_code manifest_read(struct bytes from, struct manifest *manifest);

/* One of the operators that the network needs. `known` is false for a code that this device does
 * not know; then it has no name. */
struct operator_need {
    struct bytes name;
    bool known;
    uint64_t version;
};

struct cbor operators_open(const struct manifest *manifest, uint64_t *count);
struct operator_need operators_next(struct cbor *in, struct bytes *previous_key);

#endif
