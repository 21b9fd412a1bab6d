/* The verify keys that a device holds: P-256 (ES256) and Ed25519 (EdDSA). */
#ifndef TRUST_H
#define TRUST_H

#include <openssl/evp.h>

#include "bytes.h"
#include "limits.h"

#define COSE_ES256 (-7)
#define COSE_EDDSA (-8)

/* Whose key it is. Where the store has an author's, one of those must sign as well. */
enum role { ROLE_OPERATOR, ROLE_AUTHOR, ROLES };

struct verify_key {
    uint8_t id[KEY_ID_BYTES];
    enum role role;
    EVP_PKEY *key;
};

struct trust {
    struct verify_key keys[VERIFY_KEYS_MAX];
    size_t count;
    bool needs[ROLES]; /* whose signature is asked for */
};

/* Reads each *.pem of the directory, the operator's, and of its subdirectory `author` if there is
 * one. False, with a line on stderr, where one is no such key or has both roles, or none is there. */
bool trust_load(struct trust *trust, const char *directory);
void trust_free(struct trust *trust);
const struct verify_key *trust_find(const struct trust *trust, struct bytes key_id);
bool trust_verify(const struct verify_key *key, int64_t algorithm, struct bytes message,
                  struct bytes signature);

#endif
