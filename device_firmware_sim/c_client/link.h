/* One connection to the broker: MQTT 3.1.1, clean session, QoS 1 for everything. */
#ifndef LINK_H
#define LINK_H

#include <mosquitto.h>

#include "bytes.h"

struct broker {
    const char *host;
    int port;
    int enrol_port;          /* over TLS: where devices enrol, without a certificate */
    const char *ca;          /* PEM of the authority that is trusted; NULL: no TLS */
    const char *certificate; /* of this device, and its key: files, over TLS */
    const char *key;
};

struct account {
    const char *client_id;
    const char *user; /* NULL: the certificate is the account */
    const char *password;
};

struct will {
    const char *topic; /* NULL: no will */
    const char *payload;
};

enum link_state { LINK_CONNECTING, LINK_UP, LINK_REFUSED, LINK_LOST };

struct link {
    struct mosquitto *mosquitto;
    enum link_state state;
    bool was_up;             /* at any time since it was opened */
    unsigned unacknowledged; /* messages that the broker has not taken yet */
    void *owner;
    void (*when_up)(void *owner);
    void (*when_message)(void *owner, const char *topic, struct bytes payload);
};

/* Begins to connect. The callbacks and `owner` are set before. */
bool link_open(struct link *link, const struct broker *broker, const struct account *account,
               const struct will *will);
/* Reads and writes for at most that long; then see `state`. */
void link_turn(struct link *link, int milliseconds);
/* Lets what was published arrive, says good-bye and forgets the connection. */
void link_close(struct link *link);

bool link_publish(struct link *link, const char *topic, const char *payload, bool retain);
bool link_subscribe(struct link *link, const char *topic);
bool link_unsubscribe(struct link *link, const char *topic);

/* Milliseconds of a clock that never jumps. */
uint64_t monotonic_ms(void);

#endif
