/* The self-test of a manifest: one run on a generated input, compared with what is expected. */
#ifndef SELF_TEST_H
#define SELF_TEST_H

#include "runtime.h"

/* The next element of xorshift32 (Marsaglia 2003): bytes written to `element`, 1 or 4. */
size_t generate_element(uint32_t *state, enum dtype dtype, uint8_t element[4]);
/* The whole input tensor as a file. */
bool generate_input(const char *path, uint32_t seed, const struct network *network);
/* Whether the output begins with `expected`, each element within the tolerance. */
bool output_is_expected(const struct self_test *test, struct bytes output);
/* `input_path` is where the input may be put. */
bool self_test_passes(const struct self_test *test, struct runtime *runtime,
                      const struct network *network, const char *slot_path,
                      const char *input_path);

#endif
