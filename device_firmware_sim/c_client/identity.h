/* Who a device is: its key pair, its secret and the salt of the secret's verifier. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <openssl/evp.h>

#include "bytes.h"
#include "limits.h"

struct identity {
    EVP_PKEY *key;                              /* P-256 */
    char public_key[PUBLIC_KEY_MAX_CHARS + 1];  /* PEM */
    char secret[2 * SECRET_BYTES + 1];
    uint8_t salt[SALT_BYTES];
};

/* Reads the three from the directory, and makes what is not there yet. */
bool identity_load(struct identity *identity, const char *directory);
void identity_free(struct identity *identity);

#endif
