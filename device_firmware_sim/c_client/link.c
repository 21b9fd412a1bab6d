#include "link.h"

#include <string.h>
#include <time.h>

#include "limits.h"

#define KEEP_ALIVE_S 30
#define QOS 1
#define CONNECT_MS_MAX 15000
#define GOODBYE_MS_MAX 3000
#define TURN_MS 50

uint64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Return codes 4 and 5 of MQTT 3.1.1: bad user name or password, not authorised. */
static void when_connected(struct mosquitto *mosquitto, void *object, int code)
{
    struct link *link = object;
    (void)mosquitto;
    if (code == 0) {
        link->state = LINK_UP;
        link->was_up = true;
        link->when_up(link->owner);
    } else {
        link->state = code == 4 || code == 5 ? LINK_REFUSED : LINK_LOST;
    }
}

static void when_published(struct mosquitto *mosquitto, void *object, int message)
{
    struct link *link = object;
    (void)mosquitto;
    (void)message;
    if (link->unacknowledged > 0)
        link->unacknowledged--;
}

static void when_message(struct mosquitto *mosquitto, void *object,
                         const struct mosquitto_message *message)
{
    struct link *link = object;
    (void)mosquitto;
    link->when_message(link->owner, message->topic,
                       bytes_of(message->payload, (size_t)message->payloadlen));
}

static bool configure(struct mosquitto *mosquitto, const struct broker *broker,
                      const struct account *account, const struct will *will)
{
    mosquitto_connect_callback_set(mosquitto, when_connected);
    mosquitto_publish_callback_set(mosquitto, when_published);
    mosquitto_message_callback_set(mosquitto, when_message);
    if (account->user != NULL &&
        mosquitto_username_pw_set(mosquitto, account->user, account->password) != MOSQ_ERR_SUCCESS)
        return false;
    if (will->topic != NULL &&
        mosquitto_will_set(mosquitto, will->topic, (int)strlen(will->payload), will->payload, QOS,
                           true) != MOSQ_ERR_SUCCESS)
        return false;
    return broker->ca == NULL ||
           mosquitto_tls_set(mosquitto, broker->ca, NULL, broker->certificate,
                             broker->key, NULL) == MOSQ_ERR_SUCCESS;
}

bool link_open(struct link *link, const struct broker *broker, const struct account *account,
               const struct will *will)
{
    link->state = LINK_CONNECTING;
    link->was_up = false;
    link->unacknowledged = 0;
    link->mosquitto = mosquitto_new(account->client_id, true, link);
    if (link->mosquitto == NULL || !configure(link->mosquitto, broker, account, will) ||
        mosquitto_connect(link->mosquitto, broker->host, broker->port, KEEP_ALIVE_S) !=
            MOSQ_ERR_SUCCESS) {
        link->state = LINK_LOST;
        return false;
    }
    uint64_t deadline = monotonic_ms() + CONNECT_MS_MAX;
    while (link->state == LINK_CONNECTING && monotonic_ms() < deadline)
        link_turn(link, TURN_MS);
    return link->state == LINK_UP;
}

void link_turn(struct link *link, int milliseconds)
{
    int result = mosquitto_loop(link->mosquitto, milliseconds, 1);
    if (result != MOSQ_ERR_SUCCESS && link->state != LINK_REFUSED)
        link->state = LINK_LOST;
}

void link_close(struct link *link)
{
    uint64_t deadline = monotonic_ms() + GOODBYE_MS_MAX;
    while (link->state == LINK_UP && link->unacknowledged > 0 && monotonic_ms() < deadline)
        link_turn(link, TURN_MS);
    if (link->state == LINK_UP && mosquitto_disconnect(link->mosquitto) == MOSQ_ERR_SUCCESS)
        while (link->state == LINK_UP && monotonic_ms() < deadline)
            link_turn(link, TURN_MS);
    mosquitto_destroy(link->mosquitto);
    link->mosquitto = NULL;
    link->state = LINK_LOST;
}

bool link_publish(struct link *link, const char *topic, const char *payload, bool retain)
{
    if (link->state != LINK_UP || mosquitto_publish(link->mosquitto, NULL, topic,
                                                    (int)strlen(payload), payload, QOS, retain) !=
                                      MOSQ_ERR_SUCCESS)
        return false;
    link->unacknowledged++;
    return true;
}

bool link_subscribe(struct link *link, const char *topic)
{
    return link->state == LINK_UP &&
           mosquitto_subscribe(link->mosquitto, NULL, topic, QOS) == MOSQ_ERR_SUCCESS;
}

bool link_unsubscribe(struct link *link, const char *topic)
{
    return link->state == LINK_UP &&
           mosquitto_unsubscribe(link->mosquitto, NULL, topic) == MOSQ_ERR_SUCCESS;
}
