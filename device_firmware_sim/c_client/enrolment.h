/* What a device publishes to join: its public key and a verifier of its secret, signed. */
#ifndef ENROLMENT_H
#define ENROLMENT_H

#include "identity.h"
#include "json.h"

#define PROOF_MAX_BYTES 2048
#define SIGNATURE_TEXT_MAX_CHARS 128

struct enrolment {
    const char *device_id;
    const char *token;
    const char *public_key; /* PEM */
    char verifier[VERIFIER_MAX_CHARS + 1];
    char signature[SIGNATURE_TEXT_MAX_CHARS + 1]; /* base64 of the DER */
};

/* $7$ITERATIONS$SALT$HASH: PBKDF2-HMAC-SHA512 of the secret. */
bool write_verifier(char verifier[VERIFIER_MAX_CHARS + 1], const char *secret,
                    const uint8_t salt[SALT_BYTES]);
/* The bytes that the signature covers. Their number; 0: too long. */
size_t write_proof(uint8_t proof[PROOF_MAX_BYTES], const struct enrolment *enrolment);
bool enrolment_make(struct enrolment *enrolment, const struct identity *identity,
                    const char *device_id, const char *token);
void write_enrolment(struct json_out *out, const struct enrolment *enrolment);

#endif
