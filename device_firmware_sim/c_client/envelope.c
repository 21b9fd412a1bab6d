#include "envelope.h"

#include <string.h>

#include "cbor.h"
#include "digest.h"

#define SUIT_DIGEST_BYTES 36
#define SHA_256 (-16)
#define PROTECTED_MAX_BYTES 64

struct signature {
    struct bytes protected_header;
    struct bytes key_id;
    struct bytes value;
    int64_t algorithm;
};

struct envelope {
    struct bytes digest;      /* the SUIT_Digest as it stands: 36 bytes */
    struct bytes digest_hash; /* the 32 bytes in it */
    int64_t digest_algorithm;
    struct signature signatures[SIGNATURES_MAX];
    size_t signature_count;
    struct bytes manifest;           /* its content */
    struct bytes manifest_with_head; /* and with the CBOR head before it: what the digest covers */
};

static void read_protected(struct cbor *in, struct signature *signature)
{
    struct bytes previous = {NULL, 0};
    signature->protected_header = cbor_bytes(in);
    struct cbor header = cbor_open(signature->protected_header);
    cbor_expect_map(&header, 2);
    if (cbor_int_key(&header, &previous) != 1)
        cbor_refuse(&header);
    signature->algorithm = cbor_int(&header);
    if (cbor_int_key(&header, &previous) != 4)
        cbor_refuse(&header);
    signature->key_id = cbor_bytes(&header);
    if (!cbor_is_done(&header) || signature->protected_header.size > PROTECTED_MAX_BYTES)
        cbor_refuse(in);
}

/* COSE_Sign1 with its payload detached. */
static void read_signature(struct cbor *in, struct signature *signature)
{
    struct cbor sign1 = cbor_open(cbor_bytes(in));
    cbor_expect_tag(&sign1, 18);
    cbor_expect_array(&sign1, 4);
    read_protected(&sign1, signature);
    cbor_expect_map(&sign1, 0);
    cbor_null(&sign1);
    signature->value = cbor_bytes(&sign1);
    if (!cbor_is_done(&sign1))
        cbor_refuse(in);
}

static void read_digest(struct cbor *in, struct envelope *envelope)
{
    envelope->digest = cbor_bytes(in);
    struct cbor digest = cbor_open(envelope->digest);
    cbor_expect_array(&digest, 2);
    envelope->digest_algorithm = cbor_int(&digest);
    envelope->digest_hash = cbor_bytes_of(&digest, DIGEST_BYTES);
    if (!cbor_is_done(&digest))
        cbor_refuse(in);
}

static void read_wrapper(struct cbor *in, struct envelope *envelope)
{
    struct cbor wrapper = cbor_open(cbor_bytes(in));
    uint64_t count = cbor_array(&wrapper);
    if (count < 1 || count > 1 + SIGNATURES_MAX)
        cbor_refuse(&wrapper);
    read_digest(&wrapper, envelope);
    for (uint64_t i = 1; i < count && !wrapper.bad; i++)
        read_signature(&wrapper, &envelope->signatures[envelope->signature_count++]);
    if (!cbor_is_done(&wrapper))
        cbor_refuse(in);
}

static bool read_envelope(struct bytes from, struct envelope *envelope)
{
    struct cbor in = cbor_open(from);
    cbor_expect_tag(&in, 107);
    cbor_expect_map(&in, 2);
    cbor_expect_int(&in, 2);
    read_wrapper(&in, envelope);
    cbor_expect_int(&in, 3);
    const uint8_t *start = in.at;
    envelope->manifest = cbor_bytes(&in);
    envelope->manifest_with_head = bytes_of(start, (size_t)(in.at - start));
    return cbor_is_done(&in) && envelope->digest_algorithm == SHA_256;
}

/* The Sig_structure of RFC 9052, section 4.4. */
static bool signature_holds(const struct signature *signature, const struct verify_key *key,
                            struct bytes digest)
{
    uint8_t message[PROTECTED_MAX_BYTES + SUIT_DIGEST_BYTES + 32];
    struct cbor_out out = {message, 0, sizeof message, false};
    cbor_put_head(&out, CBOR_ARRAY, 4);
    cbor_put_text(&out, "Signature1");
    cbor_put_bytes(&out, signature->protected_header);
    cbor_put_head(&out, CBOR_BYTES, 0);
    cbor_put_bytes(&out, digest);
    return !out.full && trust_verify(key, signature->algorithm, bytes_of(message, out.size),
                                     signature->value);
}

/* Every signature that names a trusted key must hold under it, the others are ignored; and each
 * role that the store asks for must have signed. */
static enum result_code judge_signatures(const struct envelope *envelope, const struct trust *trust)
{
    bool trusted = false, signed_by[ROLES] = {false};
    if (envelope->signature_count == 0)
        return CODE_BAD_SIGNATURE;
    for (size_t i = 0; i < envelope->signature_count; i++) {
        const struct signature *signature = &envelope->signatures[i];
        const struct verify_key *key = trust_find(trust, signature->key_id);
        if (key == NULL)
            continue;
        if (!signature_holds(signature, key, envelope->digest))
            return CODE_BAD_SIGNATURE;
        trusted = signed_by[key->role] = true;
    }
    if (!trusted)
        return CODE_UNKNOWN_KEY;
    for (size_t role = 0; role < ROLES; role++)
        if (trust->needs[role] && !signed_by[role])
            return CODE_MISSING_SIGNATURE;
    return CODE_OK;
}

enum result_code envelope_verify(struct bytes from, const struct trust *trust,
                                 struct bytes *manifest)
{
    struct envelope envelope;
    uint8_t hash[DIGEST_BYTES];
    memset(&envelope, 0, sizeof envelope);
    if (from.size > ENVELOPE_MAX_BYTES || !read_envelope(from, &envelope))
        return CODE_MALFORMED;
    enum result_code code = judge_signatures(&envelope, trust);
    if (code != CODE_OK)
        return code;
    if (!sha256_of(hash, envelope.manifest_with_head) ||
        !bytes_equal(bytes_of(hash, sizeof hash), envelope.digest_hash))
        return CODE_BAD_SIGNATURE;
    *manifest = envelope.manifest;
    return CODE_OK;
}
