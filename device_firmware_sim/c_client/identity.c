#include "identity.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "durable_file.h"

#define KEY_PEM_MAX_BYTES 2048

static bool make_key(const char *path)
{
    uint8_t *pem;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *memory = BIO_new(BIO_s_mem());
    bool good = key != NULL && memory != NULL &&
                PEM_write_bio_PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (good) {
        long size = BIO_get_mem_data(memory, &pem);
        good = size > 0 && file_replace(path, bytes_of(pem, (size_t)size));
    }
    BIO_free(memory);
    EVP_PKEY_free(key);
    return good;
}

static bool make_random(const char *path, size_t size)
{
    uint8_t random[SECRET_BYTES];
    return size <= sizeof random && RAND_bytes(random, (int)size) == 1 &&
           file_replace(path, bytes_of(random, size));
}

static bool load_key(struct identity *identity, const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    identity->key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    return identity->key != NULL;
}

static bool write_public_key(struct identity *identity)
{
    char *pem;
    BIO *memory = BIO_new(BIO_s_mem());
    bool good = memory != NULL && PEM_write_bio_PUBKEY(memory, identity->key) == 1;
    if (good) {
        long size = BIO_get_mem_data(memory, &pem);
        good = size > 0 && size <= PUBLIC_KEY_MAX_CHARS;
        if (good)
            memcpy(identity->public_key, pem, (size_t)size);
    }
    BIO_free(memory);
    return good;
}

static bool load_random(uint8_t *into, size_t size, const char *path)
{
    return (access(path, F_OK) == 0 || make_random(path, size)) &&
           file_read(path, into, size) == (long)size;
}

bool identity_load(struct identity *identity, const char *directory)
{
    char path[PATH_MAX_CHARS];
    uint8_t secret[SECRET_BYTES];
    memset(identity, 0, sizeof *identity);
    bool good = file_path(path, sizeof path, directory, "key.pem") &&
                (access(path, F_OK) == 0 || make_key(path)) && load_key(identity, path) &&
                write_public_key(identity) &&
                file_path(path, sizeof path, directory, "secret") &&
                load_random(secret, SECRET_BYTES, path) &&
                file_path(path, sizeof path, directory, "salt") &&
                load_random(identity->salt, SALT_BYTES, path);
    if (good)
        hex_write(identity->secret, bytes_of(secret, SECRET_BYTES));
    else
        fprintf(stderr, "identity: %s holds no key, secret and salt, or cannot be written\n",
                directory);
    return good;
}

void identity_free(struct identity *identity)
{
    EVP_PKEY_free(identity->key);
    memset(identity, 0, sizeof *identity);
}
