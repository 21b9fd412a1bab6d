#include "enrolment.h"

#include <stdio.h>
#include <string.h>

#define ITERATIONS 101
#define HASH_BYTES 64
#define BASE64_CHARS(bytes) (((bytes) + 2) / 3 * 4 + 1)

bool write_verifier(char verifier[VERIFIER_MAX_CHARS + 1], const char *secret,
                    const uint8_t salt[SALT_BYTES])
{
    uint8_t hash[HASH_BYTES];
    char hash_text[BASE64_CHARS(HASH_BYTES)];
    char salt_text[BASE64_CHARS(SALT_BYTES)];
    if (PKCS5_PBKDF2_HMAC(secret, (int)strlen(secret), salt, SALT_BYTES, ITERATIONS, EVP_sha512(),
                          HASH_BYTES, hash) != 1)
        return false;
    EVP_EncodeBlock((unsigned char *)hash_text, hash, HASH_BYTES);
    EVP_EncodeBlock((unsigned char *)salt_text, salt, SALT_BYTES);
    int size = snprintf(verifier, VERIFIER_MAX_CHARS + 1, "$7$%d$%s$%s", ITERATIONS, salt_text,
                        hash_text);
    return size > 0 && size <= VERIFIER_MAX_CHARS;
}

size_t write_proof(uint8_t proof[PROOF_MAX_BYTES], const struct enrolment *enrolment)
{
    const char *const parts[] = {"tinyfleet/v1/enrol", enrolment->device_id, enrolment->token,
                                 enrolment->public_key, enrolment->verifier};
    size_t used = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t size = strlen(parts[i]);
        if (size > PROOF_MAX_BYTES - 4 || used > PROOF_MAX_BYTES - 4 - size)
            return 0;
        big_endian_32(proof + used, (uint32_t)size);
        memcpy(proof + used + 4, parts[i], size);
        used += 4 + size;
    }
    return used;
}

/* DER ECDSA with SHA-256, in base64. */
static bool sign(char text[SIGNATURE_TEXT_MAX_CHARS + 1], EVP_PKEY *key, struct bytes proof)
{
    uint8_t der[80];
    size_t size = sizeof der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL &&
                EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(context, der, &size, proof.data, proof.size) == 1;
    EVP_MD_CTX_free(context);
    if (good)
        EVP_EncodeBlock((unsigned char *)text, der, (int)size);
    return good;
}

bool enrolment_make(struct enrolment *enrolment, const struct identity *identity,
                    const char *device_id, const char *token)
{
    uint8_t proof[PROOF_MAX_BYTES];
    enrolment->device_id = device_id;
    enrolment->token = token;
    enrolment->public_key = identity->public_key;
    if (!write_verifier(enrolment->verifier, identity->secret, identity->salt))
        return false;
    size_t size = write_proof(proof, enrolment);
    return size > 0 && sign(enrolment->signature, identity->key, bytes_of(proof, size));
}

void write_enrolment(struct json_out *out, const struct enrolment *enrolment)
{
    json_put(out, "{\"token\":");
    json_put_text(out, enrolment->token);
    json_put(out, ",\"public_key\":");
    json_put_text(out, enrolment->public_key);
    json_put(out, ",\"verifier\":");
    json_put_text(out, enrolment->verifier);
    json_put(out, ",\"signature\":");
    json_put_text(out, enrolment->signature);
    json_put(out, "}");
}
