#include "self_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t xorshift32(uint32_t x)
{
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x;
}

/* IEEE 754 single, little-endian whatever the machine is. */
static void little_endian_float(uint8_t element[4], float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 4; i++)
        element[i] = (uint8_t)(bits >> 8 * i);
}

size_t generate_element(uint32_t *state, enum dtype dtype, uint8_t element[4])
{
    *state = xorshift32(*state);
    if (dtype == DTYPE_FLOAT32) {
        little_endian_float(element, (float)(*state >> 8) / 16777216.0f);
        return 4;
    }
    element[0] = (uint8_t)(*state >> 24);
    return 1;
}

bool generate_input(const char *path, uint32_t seed, const struct network *network)
{
    uint8_t element[4];
    uint64_t elements = shape_elements(&network->input_shape);
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return false;
    bool good = true;
    for (uint64_t i = 0; good && i < elements; i++) {
        size_t size = generate_element(&seed, network->input_dtype, element);
        good = fwrite(element, 1, size, file) == size;
    }
    return fclose(file) == 0 && good;
}

bool output_is_expected(const struct self_test *test, struct bytes output)
{
    if (output.size < test->expected.size)
        return false;
    for (size_t i = 0; i < test->expected.size; i++) {
        int difference = (int8_t)output.data[i] - (int8_t)test->expected.data[i];
        if ((uint32_t)abs(difference) > test->tolerance)
            return false;
    }
    return true;
}

bool self_test_passes(const struct self_test *test, struct runtime *runtime,
                      const struct network *network, const char *slot_path, const char *input_path)
{
    uint8_t output[EXPECTED_MAX_BYTES];
    size_t size = sizeof output;
    if (!bytes_are_text(test->generator, "xorshift32") ||
        !generate_input(input_path, test->seed, network) ||
        !runtime->run(runtime, slot_path, input_path, output, &size))
        return false;
    return output_is_expected(test, bytes_of(output, size < sizeof output ? size : sizeof output));
}
