/* SHA-256 of bytes and of files, and the UUIDs that the protocol derives from names. */
#ifndef DIGEST_H
#define DIGEST_H

#include "bytes.h"
#include "limits.h"

bool sha256_of(uint8_t digest[DIGEST_BYTES], struct bytes of);
/* False where the file cannot be read or is not exactly `size` bytes long. */
bool sha256_of_file(uint8_t digest[DIGEST_BYTES], const char *path, size_t size);

/* UUID v5 of `kind/name` in the namespace of TinyFleet's vendor-id; kind is `board` or `device`. */
bool tinyfleet_uuid(uint8_t uuid[UUID_BYTES], const char *kind, const char *name);
extern const uint8_t tinyfleet_vendor_id[UUID_BYTES];

#endif
