/* Whether this device would follow a manifest: the protocol's table, in its order. */
#ifndef ACCEPTANCE_H
#define ACCEPTANCE_H

#include "firmware.h"
#include "manifest.h"
#include "result.h"

struct circumstances {
    const char *device_id;
    const struct firmware *firmware;
    uint64_t floor;      /* highest sequence number accepted so far */
    uint64_t time_floor; /* newest issue time accepted so far */
    bool has_clock;
    uint64_t now; /* UNIX seconds; 0 without a clock */
};

/* CODE_OK, or the code of the first check that fails. */
enum result_code accept_manifest(const struct manifest *manifest,
                                 const struct circumstances *circumstances);
bool is_expired(const struct manifest *manifest, const struct circumstances *circumstances);

#endif
