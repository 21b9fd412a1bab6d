#include "certificate.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

#include "durable_file.h"

#define SECONDS_A_DAY 86400

static X509 *read_pem(const char *pem)
{
    BIO *memory = BIO_new_mem_buf(pem, -1);
    X509 *found = memory == NULL ? NULL : PEM_read_bio_X509(memory, NULL, NULL, NULL);
    BIO_free(memory);
    return found;
}

static bool is_named(const X509 *certificate, const char *device_id)
{
    char name[DEVICE_ID_MAX_CHARS + 2];
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int size = X509_NAME_get_text_by_NID(subject, NID_commonName, name, sizeof name);
    return size > 0 && strlen(name) == (size_t)size && strcmp(name, device_id) == 0;
}

bool certificate_is_ours(const struct identity *identity, const char *device_id, const char *pem)
{
    X509 *certificate = read_pem(pem);
    bool ours = certificate != NULL && is_named(certificate, device_id) &&
                X509_check_private_key(certificate, identity->key) == 1;
    X509_free(certificate);
    return ours;
}

/* Seconds from one moment to another; NULL stands for the UNIX epoch. */
static bool seconds_between(int64_t *seconds, const ASN1_TIME *from, const ASN1_TIME *to)
{
    int days;
    int rest;
    ASN1_TIME *epoch = from == NULL ? ASN1_TIME_set(NULL, 0) : NULL;
    bool good = ASN1_TIME_diff(&days, &rest, from == NULL ? epoch : from, to) == 1;
    ASN1_TIME_free(epoch);
    if (good)
        *seconds = (int64_t)days * SECONDS_A_DAY + rest;
    return good;
}

int64_t certificate_renewal_at(const char *path)
{
    char pem[CERTIFICATE_MAX_CHARS + 1];
    int64_t begins = 0;
    int64_t life = 0;
    long size = file_read(path, (uint8_t *)pem, CERTIFICATE_MAX_CHARS);
    if (size <= 0)
        return 0;
    pem[size] = '\0';
    X509 *certificate = read_pem(pem);
    bool good = certificate != NULL &&
                seconds_between(&begins, NULL, X509_get0_notBefore(certificate)) &&
                seconds_between(&life, X509_get0_notBefore(certificate),
                                X509_get0_notAfter(certificate));
    X509_free(certificate);
    return good ? begins + life / 3 * 2 : 0;
}
