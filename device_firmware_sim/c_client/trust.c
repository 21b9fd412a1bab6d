#include "trust.h"

#include <dirent.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "digest.h"

/* First 8 bytes of SHA-256 over the DER SubjectPublicKeyInfo. */
static bool name_key(struct verify_key *key)
{
    uint8_t der[512];
    uint8_t digest[DIGEST_BYTES];
    uint8_t *end = der;
    int size = i2d_PUBKEY(key->key, NULL);
    if (size <= 0 || (size_t)size > sizeof der || i2d_PUBKEY(key->key, &end) != size)
        return false;
    if (!sha256_of(digest, bytes_of(der, (size_t)size)))
        return false;
    memcpy(key->id, digest, KEY_ID_BYTES);
    return true;
}

static bool is_p256(EVP_PKEY *key)
{
    char group[32];
    size_t size;
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
           EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

static bool load_key(struct trust *trust, const char *path, enum role role)
{
    if (trust->count == VERIFY_KEYS_MAX)
        return false;
    struct verify_key *key = &trust->keys[trust->count];
    key->role = role;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    key->key = PEM_read_PUBKEY(file, NULL, NULL, NULL);
    fclose(file);
    if (key->key == NULL)
        return false;
    trust->count++;
    return (is_p256(key->key) || EVP_PKEY_get_base_id(key->key) == EVP_PKEY_ED25519) &&
           name_key(key);
}

static bool is_pem(const char *name)
{
    size_t size = strlen(name);
    return size > 4 && strcmp(name + size - 4, ".pem") == 0;
}

static bool load_each(struct trust *trust, DIR *directory, const char *path, enum role role)
{
    struct dirent *entry;
    char file[PATH_MAX_CHARS];
    while ((entry = readdir(directory)) != NULL) {
        if (!is_pem(entry->d_name))
            continue;
        int size = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (size < 0 || (size_t)size >= sizeof file || !load_key(trust, file, role)) {
            fprintf(stderr, "trust: %s is no P-256 or Ed25519 verify key, or one too many\n",
                    entry->d_name);
            return false;
        }
    }
    return true;
}

/* The keys of one role: at least one. */
static bool load_role(struct trust *trust, const char *path, enum role role)
{
    size_t before = trust->count;
    DIR *directory = opendir(path);
    bool good = directory != NULL && load_each(trust, directory, path, role);
    if (directory != NULL)
        closedir(directory);
    trust->needs[role] = good && trust->count > before;
    if (!trust->needs[role])
        fprintf(stderr, "trust: no usable verify keys in %s\n", path);
    return trust->needs[role];
}

/* Else one key could sign for both. */
static bool roles_are_apart(const struct trust *trust)
{
    for (size_t i = 0; i < trust->count; i++) {
        const struct verify_key *first = trust_find(trust, bytes_of(trust->keys[i].id, KEY_ID_BYTES));
        if (first->role != trust->keys[i].role) {
            fputs("trust: a key is both the operator's and the author's\n", stderr);
            return false;
        }
    }
    return true;
}

bool trust_load(struct trust *trust, const char *path)
{
    char author[PATH_MAX_CHARS];
    memset(trust, 0, sizeof *trust);
    int size = snprintf(author, sizeof author, "%s/author", path);
    if (size < 0 || (size_t)size >= sizeof author || !load_role(trust, path, ROLE_OPERATOR))
        return false;
    if (access(author, F_OK) != 0)
        return true;
    return load_role(trust, author, ROLE_AUTHOR) && roles_are_apart(trust);
}

void trust_free(struct trust *trust)
{
    while (trust->count > 0)
        EVP_PKEY_free(trust->keys[--trust->count].key);
}

const struct verify_key *trust_find(const struct trust *trust, struct bytes key_id)
{
    for (size_t i = 0; i < trust->count; i++)
        if (bytes_equal(key_id, bytes_of(trust->keys[i].id, KEY_ID_BYTES)))
            return &trust->keys[i];
    return NULL;
}

/* COSE writes r and s as 32 bytes each; OpenSSL wants DER. The DER's size; 0: no memory. */
static int der_of(uint8_t *der, struct bytes raw)
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw.data, SIGNATURE_BYTES / 2, NULL);
    BIGNUM *s = BN_bin2bn(raw.data + SIGNATURE_BYTES / 2, SIGNATURE_BYTES / 2, NULL);
    int size = 0;
    if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL;
        size = i2d_ECDSA_SIG(pair, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return size < 0 ? 0 : size;
}

static bool verifies(EVP_PKEY *key, const EVP_MD *hash, struct bytes message,
                     struct bytes signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestVerifyInit(context, NULL, hash, NULL, key) == 1 &&
                EVP_DigestVerify(context, signature.data, signature.size, message.data,
                                 message.size) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

bool trust_verify(const struct verify_key *key, int64_t algorithm, struct bytes message,
                  struct bytes signature)
{
    uint8_t der[SIGNATURE_BYTES + 16];
    bool is_ec = EVP_PKEY_get_base_id(key->key) == EVP_PKEY_EC;
    if (algorithm != (is_ec ? COSE_ES256 : COSE_EDDSA) || signature.size != SIGNATURE_BYTES)
        return false;
    if (!is_ec)
        return verifies(key->key, NULL, message, signature);
    int size = der_of(der, signature);
    return size > 0 && verifies(key->key, EVP_sha256(), message, bytes_of(der, (size_t)size));
}
