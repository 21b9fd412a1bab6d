/* The operator codes: BuiltinOperator of TensorFlow Lite's schema. */
#ifndef OPERATORS_H
#define OPERATORS_H

#include <stdint.h>

/* NULL: a code that this device does not know, and so an operator that it does not have. */
const char *operator_name(uint64_t code);

#endif
