/* Writing JSON into a fixed buffer, and reading the two small objects that a server sends. */
#ifndef JSON_H
#define JSON_H

#include "bytes.h"
#include "limits.h"

struct json_out {
    char *text; /* ends with a NUL */
    size_t size;
    size_t room;
    bool full;
};

struct json_out json_open(char *text, size_t room);
/* As printf: for the frame, names and numbers. */
void json_put(struct json_out *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A quoted text, escaped. */
void json_put_text(struct json_out *out, const char *text);

/* {"answer", "reason"}, and perhaps "certificate"; false: it is not that. */
struct enrolment_result {
    char answer[16];
    char reason[DETAIL_MAX_CHARS * 4 + 1];
    char certificate[CERTIFICATE_MAX_CHARS + 1]; /* PEM; empty: none came */
};
bool json_read_enrolment_result(struct enrolment_result *result, struct bytes payload);
/* {"boot", "sequence"} of `acked`. */
bool json_read_acked(uint64_t *boot, uint64_t *sequence, struct bytes payload);

#endif
