#include "digest.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

const uint8_t tinyfleet_vendor_id[UUID_BYTES] = {0xaa, 0x68, 0xf8, 0xb1, 0x61, 0xb4, 0x56, 0xd4,
                                                 0x8a, 0xef, 0xc8, 0xb2, 0x9a, 0x26, 0x02, 0xe7};

bool sha256_of(uint8_t digest[DIGEST_BYTES], struct bytes of)
{
    return EVP_Digest(of.data, of.size, digest, NULL, EVP_sha256(), NULL) == 1;
}

/* Feeds the file to the digest; false on an error or another size. */
static bool feed(EVP_MD_CTX *context, FILE *file, size_t size)
{
    uint8_t piece[4096];
    size_t read;
    while ((read = fread(piece, 1, sizeof piece, file)) > 0) {
        if (read > size || EVP_DigestUpdate(context, piece, read) != 1)
            return false;
        size -= read;
    }
    return size == 0 && !ferror(file);
}

bool sha256_of_file(uint8_t digest[DIGEST_BYTES], const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = file != NULL && context != NULL &&
                EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 && feed(context, file, size) &&
                EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    if (file != NULL)
        fclose(file);
    return good;
}

bool tinyfleet_uuid(uint8_t uuid[UUID_BYTES], const char *kind, const char *name)
{
    char text[UUID_BYTES + 128];
    uint8_t sha1[20];
    memcpy(text, tinyfleet_vendor_id, UUID_BYTES);
    int size = snprintf(text + UUID_BYTES, 128, "%s/%s", kind, name);
    if (size < 0 || size >= 128)
        return false;
    if (EVP_Digest(text, UUID_BYTES + (size_t)size, sha1, NULL, EVP_sha1(), NULL) != 1)
        return false;
    memcpy(uuid, sha1, UUID_BYTES);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x50);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    return true;
}
