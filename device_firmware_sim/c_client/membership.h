/* Whether a device is to join or to sign in as itself, by what came of its attempts. */
#ifndef MEMBERSHIP_H
#define MEMBERSHIP_H

#include "session.h"

struct membership {
    bool asks_again; /* over TLS: a member that renews, or doubts, its certificate */
    unsigned misses; /* attempts in a row that came to nothing */
};

/* Also looks up when the certificate is to be renewed. */
bool membership_joins(const struct membership *membership, const struct device *device,
                      struct surroundings *surroundings);
/* Takes note of how a session ended. */
void membership_note(struct membership *membership, struct device *device,
                     struct surroundings *surroundings, bool joined, enum session_end end);

#endif
