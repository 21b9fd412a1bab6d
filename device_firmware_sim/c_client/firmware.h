/* What this firmware image is and offers. On a microcontroller these are constants of the build;
 * here they are read from a text file, one fact a line:
 *
 *   board esp32-s3              the board type's slug
 *   firmware c-client 1.0.0     name and version
 *   slot_bytes 65536
 *   arena_budget_bytes 32768
 *   receive_buffer_bytes 8192   largest message that the device can take
 *   runtime tflite-micro 2.0.0 reference      name, version, kernels
 *   operator CONV_2D 3          one line each: name and highest version
 *   dtype int8                  one line each
 *   sensor microphone 16000 49 40             kind, highest rate in Hz, shape
 */
#ifndef FIRMWARE_H
#define FIRMWARE_H

#include "bytes.h"
#include "limits.h"
#include "shape.h"

#define FACT_MAX_CHARS 64

struct sensor {
    char kind[FACT_MAX_CHARS];
    double max_rate_hz;
    struct shape shape;
};

struct linked_operator {
    char name[OPERATOR_NAME_MAX_CHARS + 1];
    uint32_t version;
};

struct firmware {
    char board[FACT_MAX_CHARS];
    char name[FACT_MAX_CHARS];
    char version[FACT_MAX_CHARS];
    uint32_t slot_bytes;
    uint32_t arena_budget_bytes;
    uint32_t receive_buffer_bytes;
    char runtime[OPERATOR_NAME_MAX_CHARS + 4];
    char runtime_version[FACT_MAX_CHARS];
    char kernels[FACT_MAX_CHARS];
    struct linked_operator operators[OPERATORS_MAX];
    size_t operators_count;
    char dtypes[DTYPES_MAX][FACT_MAX_CHARS];
    size_t dtypes_count;
    struct sensor sensors[SENSORS_MAX];
    size_t sensors_count;
};

/* False, with a line on stderr, where the file is not as above. */
bool firmware_load(struct firmware *firmware, const char *path);
/* Highest version of the operator in the image; 0: not linked. */
uint32_t firmware_operator_version(const struct firmware *firmware, struct bytes name);

#endif
