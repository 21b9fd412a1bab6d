/* The signed SUIT envelope: checks 1 to 7 of the protocol's table, in its order. */
#ifndef ENVELOPE_H
#define ENVELOPE_H

#include "bytes.h"
#include "result.h"
#include "trust.h"

/* On CODE_OK `manifest` is the manifest's bytes inside the envelope. No value of it was looked at
 * before its signature held. */
enum result_code envelope_verify(struct bytes envelope, const struct trust *trust,
                                 struct bytes *manifest);

#endif
