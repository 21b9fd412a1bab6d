/* The certificate with which a device signs in over TLS: kept in flash beside its key. */
#ifndef CERTIFICATE_H
#define CERTIFICATE_H

#include "identity.h"

/* Whether the PEM is a certificate of this device, for its own key. */
bool certificate_is_ours(const struct identity *identity, const char *device_id, const char *pem);
/* UNIX time at which two thirds of its life are over; 0 where the file holds none. */
int64_t certificate_renewal_at(const char *path);

#endif
