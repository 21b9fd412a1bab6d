#include "manifest.h"

#include <stdio.h>
#include <string.h>

#include "digest.h"
#include "operators.h"

#define SIZE_MAX_BYTES 0xffffffffu
#define OPTIONAL (1u << 6 | 1u << 11)
#define CUSTOM_PARAMETERS 11

/* A directive or condition of the fixed frame: a command and its one argument. */
static void expect_command(struct cbor *in, int64_t command, int64_t argument)
{
    cbor_expect_int(in, command);
    cbor_expect_int(in, argument);
}

static void read_image_digest(struct cbor *in, struct manifest *manifest)
{
    struct cbor digest = cbor_open(cbor_bytes(in));
    cbor_expect_array(&digest, 2);
    cbor_expect_int(&digest, -16);
    manifest->digest = cbor_bytes_of(&digest, DIGEST_BYTES);
    if (!cbor_is_done(&digest))
        cbor_refuse(in);
}

static void read_block_exponents(struct cbor *in, struct manifest *manifest)
{
    struct bytes exponents = cbor_bytes(in);
    if (exponents.size < 1 || exponents.size > BLOCK_EXPONENTS_MAX)
        cbor_refuse(in);
    for (size_t i = 0; i < exponents.size; i++) {
        uint8_t exponent = exponents.data[i];
        if (exponent != 0 && (exponent < BLOCK_EXPONENT_LEAST || exponent > BLOCK_EXPONENT_MOST))
            cbor_refuse(in);
    }
    manifest->block_exponents = exponents;
}

static void read_shape(struct cbor *in, struct shape *shape)
{
    struct cbor lengths = cbor_open(cbor_bytes(in));
    uint64_t count = cbor_array(&lengths);
    if (count > SHAPE_MAX_LENGTHS)
        cbor_refuse(&lengths);
    for (uint64_t i = 0; i < count && !lengths.bad; i++)
        shape->lengths[shape->lengths_count++] =
            (uint32_t)cbor_uint_within(&lengths, 1, SHAPE_LENGTH_MAX);
    if (!cbor_is_done(&lengths))
        cbor_refuse(in);
}

static void read_self_test(struct cbor *in, struct self_test *test)
{
    struct cbor array = cbor_open(cbor_bytes(in));
    cbor_expect_array(&array, 4);
    test->generator = cbor_text(&array, GENERATOR_MAX_CHARS);
    test->seed = (uint32_t)cbor_uint_within(&array, 1, SIZE_MAX_BYTES);
    test->expected = cbor_bytes(&array);
    test->tolerance = (uint32_t)cbor_uint_within(&array, 0, TOLERANCE_MAX);
    if (!cbor_is_done(&array) || test->generator.size < 1 || test->expected.size < 1 ||
        test->expected.size > EXPECTED_MAX_BYTES)
        cbor_refuse(in);
}

struct cbor operators_open(const struct manifest *manifest, uint64_t *count)
{
    struct cbor in = cbor_open(manifest->operators);
    *count = cbor_map(&in);
    return in;
}

struct operator_need operators_next(struct cbor *in, struct bytes *previous_key)
{
    struct operator_need need = {{NULL, 0}, true, 0};
    const uint8_t *start = in->at;
    if (cbor_peek(in) == CBOR_TEXT) {
        need.name = cbor_text(in, OPERATOR_NAME_MAX_CHARS);
    } else {
        const char *name = operator_name(cbor_uint(in));
        need.known = name != NULL;
        need.name = name == NULL ? need.name : bytes_of_text(name);
    }
    cbor_key_follows(in, start, previous_key);
    need.version = cbor_uint_within(in, 1, OPERATOR_VERSION_MAX);
    return need;
}

static void read_operators(struct cbor *in, struct manifest *manifest)
{
    uint64_t count;
    struct bytes previous = {NULL, 0};
    manifest->operators = cbor_bytes(in);
    struct cbor map = operators_open(manifest, &count);
    if (count > OPERATORS_MAX)
        cbor_refuse(&map);
    for (uint64_t i = 0; i < count && !map.bad; i++)
        operators_next(&map, &previous);
    if (!cbor_is_done(&map))
        cbor_refuse(in);
}

static uint64_t read_count(struct cbor *in)
{
    return cbor_uint_within(in, 0, WHOLE_NUMBER_MOST);
}

/* A parameter of our own: keys -1 to -11; what is further is ignored. */
static void read_custom_parameter(struct cbor *in, int64_t key, struct manifest *manifest)
{
    switch (key) {
    case -1: manifest->device_id = cbor_text(in, DEVICE_ID_MAX_CHARS); break;
    case -2: manifest->deployment = cbor_bytes_of(in, UUID_BYTES); break;
    case -3: manifest->issued_at = read_count(in); break;
    case -4: manifest->expires_at = read_count(in); break;
    case -5: read_block_exponents(in, manifest); break;
    case -6: manifest->arena_bytes = read_count(in); break;
    case -7: read_operators(in, manifest); break;
    case -8: manifest->runtime = cbor_text(in, RUNTIME_NAME_MAX_CHARS); break;
    case -9: read_shape(in, &manifest->input_shape); break;
    case -10: read_shape(in, &manifest->output_shape); break;
    case -11: read_self_test(in, &manifest->self_test); break;
    default: cbor_skip_scalar(in);
    }
}

/* Custom parameters after the five of the draft; all must be there but the optional ones. */
static void read_custom_parameters(struct cbor *in, uint64_t count, struct bytes previous,
                                   struct manifest *manifest)
{
    unsigned seen = 0;
    for (uint64_t i = 0; i < count && !in->bad; i++) {
        int64_t key = cbor_int_key(in, &previous);
        if (key >= 0)
            cbor_refuse(in);
        else if (key >= -CUSTOM_PARAMETERS)
            seen |= 1u << -key;
        read_custom_parameter(in, key, manifest);
    }
    unsigned all = (1u << (CUSTOM_PARAMETERS + 1)) - 2;
    if ((seen | OPTIONAL) != all)
        cbor_refuse(in);
    manifest->has_arena_bytes = (seen & 1u << 6) != 0;
    manifest->has_self_test = (seen & 1u << 11) != 0;
}

static void expect_key(struct cbor *in, int64_t key, struct bytes *previous)
{
    if (cbor_int_key(in, previous) != key)
        cbor_refuse(in);
}

static void read_parameters(struct cbor *in, struct manifest *manifest)
{
    struct bytes previous = {NULL, 0};
    uint64_t count = cbor_map(in);
    if (count < 5)
        cbor_refuse(in);
    expect_key(in, 1, &previous);
    manifest->vendor_id = cbor_bytes_of(in, UUID_BYTES);
    expect_key(in, 2, &previous);
    manifest->class_id = cbor_bytes_of(in, UUID_BYTES);
    expect_key(in, 3, &previous);
    read_image_digest(in, manifest);
    expect_key(in, 14, &previous);
    manifest->size_bytes = (uint32_t)cbor_uint_within(in, 1, SIZE_MAX_BYTES);
    expect_key(in, 24, &previous);
    manifest->device_identifier = cbor_bytes_of(in, UUID_BYTES);
    read_custom_parameters(in, count - 5, previous, manifest);
}

/* override-parameters, then the conditions vendor, class and device. */
static void read_shared_sequence(struct cbor *in, struct manifest *manifest)
{
    struct cbor sequence = cbor_open(cbor_bytes(in));
    cbor_expect_array(&sequence, 8);
    cbor_expect_int(&sequence, 20);
    read_parameters(&sequence, manifest);
    expect_command(&sequence, 1, 15);
    expect_command(&sequence, 2, 15);
    expect_command(&sequence, 24, 15);
    if (!cbor_is_done(&sequence))
        cbor_refuse(in);
}

static void read_common(struct cbor *in, struct manifest *manifest)
{
    static const uint8_t component = 0;
    struct cbor common = cbor_open(cbor_bytes(in));
    cbor_expect_map(&common, 2);
    cbor_expect_int(&common, 2);
    cbor_expect_array(&common, 1);
    cbor_expect_array(&common, 1);
    if (!bytes_equal(cbor_bytes(&common), bytes_of(&component, 1)))
        cbor_refuse(&common);
    cbor_expect_int(&common, 4);
    read_shared_sequence(&common, manifest);
    if (!cbor_is_done(&common))
        cbor_refuse(in);
}

static void read_validate(struct cbor *in)
{
    struct cbor sequence = cbor_open(cbor_bytes(in));
    cbor_expect_array(&sequence, 2);
    expect_command(&sequence, 3, 15);
    if (!cbor_is_done(&sequence))
        cbor_refuse(in);
}

/* The uri, fetch, image match. */
static void read_install(struct cbor *in, struct manifest *manifest)
{
    struct cbor sequence = cbor_open(cbor_bytes(in));
    cbor_expect_array(&sequence, 6);
    cbor_expect_int(&sequence, 20);
    cbor_expect_map(&sequence, 1);
    cbor_expect_int(&sequence, 21);
    manifest->uri = cbor_text(&sequence, TOPIC_MAX_CHARS);
    expect_command(&sequence, 21, 2);
    expect_command(&sequence, 3, 15);
    if (!cbor_is_done(&sequence))
        cbor_refuse(in);
}

static bool read_frame(struct bytes from, struct manifest *manifest)
{
    struct cbor in = cbor_open(from);
    cbor_expect_map(&in, 5);
    cbor_expect_int(&in, 1);
    cbor_expect_int(&in, 1);
    cbor_expect_int(&in, 2);
    manifest->sequence = read_count(&in);
    cbor_expect_int(&in, 3);
    read_common(&in, manifest);
    cbor_expect_int(&in, 7);
    read_validate(&in);
    cbor_expect_int(&in, 20);
    read_install(&in, manifest);
    return cbor_is_done(&in);
}

static bool agrees_with_itself(const struct manifest *manifest)
{
    char uri[TOPIC_MAX_CHARS + 1] = "tinyfleet/v1/artifacts/";
    char device_id[DEVICE_ID_MAX_CHARS + 1] = "";
    uint8_t identifier[UUID_BYTES];
    if (manifest->device_id.size > DEVICE_ID_MAX_CHARS)
        return false;
    hex_write(uri + strlen(uri), manifest->digest);
    memcpy(device_id, manifest->device_id.data, manifest->device_id.size);
    return bytes_are_text(manifest->uri, uri) && manifest->expires_at > manifest->issued_at &&
           tinyfleet_uuid(identifier, "device", device_id) &&
           bytes_equal(manifest->device_identifier, bytes_of(identifier, UUID_BYTES));
}

enum result_code manifest_read(struct bytes from, struct manifest *manifest)
{
    memset(manifest, 0, sizeof *manifest);
    return read_frame(from, manifest) && agrees_with_itself(manifest) ? CODE_OK : CODE_MALFORMED;
}
