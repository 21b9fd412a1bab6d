/* What a device does while it is connected: first to join, then as itself. */
#ifndef SESSION_H
#define SESSION_H

#include <signal.h>

#include "device.h"

enum session_end {
    SESSION_STOPPED, /* it was asked to stop */
    SESSION_LOST,    /* the connection was lost, or there was none */
    SESSION_REFUSED, /* the broker refused the account */
    SESSION_RENEWS,  /* the certificate is to be renewed */
    SESSION_ACCEPTED /* joining: the device may sign in as itself */
};

struct surroundings {
    struct broker broker;
    const char *token;
    const char *enrol_password;
    const volatile sig_atomic_t *stop_asked;
    int64_t renews_at;         /* UNIX time at which a session ends by itself; 0: never */
    uint64_t renews_not_before; /* monotonic ms: for when the last time came to nothing */
};

/* Signs in as itself and follows orders until the connection ends. */
enum session_end session_serve(struct device *device, const struct surroundings *surroundings);
/* Signs in as `enrol` and sends the enrolment until there is an answer; a member waits a minute. */
enum session_end session_join(struct device *device, const struct surroundings *surroundings);

#endif
