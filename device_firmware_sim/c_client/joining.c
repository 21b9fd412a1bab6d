#include <stdio.h>
#include <string.h>

#include "certificate.h"
#include "durable_file.h"
#include "enrolment.h"
#include "session.h"

#define TURN_MS 100
#define FIRST_WAIT_MS 10000
#define LONGEST_WAIT_MS 300000
#define PATIENCE_MS 60000

struct joining {
    struct device *device;
    struct enrolment enrolment;
    const char *certificate; /* the file for it; NULL: this device needs none */
    char message[JSON_MAX_BYTES];
    char topic[TOPIC_MAX_CHARS];
    char result_topic[TOPIC_MAX_CHARS];
    bool accepted;
    bool rejected;
};

static void when_up(void *owner)
{
    struct joining *joining = owner;
    link_subscribe(&joining->device->link, joining->result_topic);
    link_publish(&joining->device->link, joining->topic, joining->message, false);
}

/* False where the answer lacks what this device needs to sign in. */
static bool keep_certificate(const struct joining *joining, const char *pem)
{
    const struct device *device = joining->device;
    if (joining->certificate == NULL)
        return true;
    if (!certificate_is_ours(&device->identity, device->id, pem)) {
        device_log(device, "accepted", "without a certificate of this device");
        return false;
    }
    struct bytes content = bytes_of((const uint8_t *)pem, strlen(pem));
    return file_replace(joining->certificate, content);
}

static void when_message(void *owner, const char *topic, struct bytes payload)
{
    struct joining *joining = owner;
    struct enrolment_result result;
    if (strcmp(topic, joining->result_topic) != 0 || !json_read_enrolment_result(&result, payload))
        return;
    device_log(joining->device, result.answer, result.reason);
    joining->accepted = strcmp(result.answer, "accepted") == 0 &&
                        keep_certificate(joining, result.certificate);
    joining->rejected = strcmp(result.answer, "rejected") == 0;
}

static bool prepare(struct joining *joining, struct device *device, const char *token)
{
    struct json_out out = json_open(joining->message, sizeof joining->message);
    joining->device = device;
    joining->accepted = false;
    joining->rejected = false;
    snprintf(joining->topic, sizeof joining->topic, "tinyfleet/v1/enrol/%s", device->id);
    snprintf(joining->result_topic, sizeof joining->result_topic, "tinyfleet/v1/enrol/%s/result",
             device->id);
    if (!enrolment_make(&joining->enrolment, &device->identity, device->id, token))
        return false;
    write_enrolment(&out, &joining->enrolment);
    return !out.full;
}

/* A rejected device asks again too, but rarely: an operator may think better of it. */
static uint64_t next_wait(const struct joining *joining, uint64_t wait_ms)
{
    return joining->rejected || 2 * wait_ms > LONGEST_WAIT_MS ? LONGEST_WAIT_MS : 2 * wait_ms;
}

/* The very same enrolment again, ever more slowly, until there is an answer that ends it. */
static void repeat_until_answered(struct joining *joining, const volatile sig_atomic_t *stop_asked)
{
    struct link *link = &joining->device->link;
    uint64_t wait_ms = FIRST_WAIT_MS;
    uint64_t again_at = monotonic_ms() + wait_ms;
    uint64_t patient_until = monotonic_ms() + PATIENCE_MS;
    bool is_member = joining->certificate != NULL && joining->device->record.accepted;
    while (link->state == LINK_UP && !joining->accepted && !*stop_asked &&
           !(is_member && monotonic_ms() >= patient_until)) {
        link_turn(link, TURN_MS);
        if (monotonic_ms() < again_at)
            continue;
        link_publish(link, joining->topic, joining->message, false);
        wait_ms = next_wait(joining, wait_ms);
        again_at = monotonic_ms() + wait_ms;
    }
}

/* Over TLS a device without a certificate has a port of its own. */
static struct broker entrance_of(const struct broker *broker)
{
    struct broker entrance = *broker;
    entrance.port = broker->ca == NULL ? broker->port : broker->enrol_port;
    entrance.certificate = NULL;
    entrance.key = NULL;
    return entrance;
}

enum session_end session_join(struct device *device, const struct surroundings *surroundings)
{
    struct joining joining;
    char client_id[DEVICE_ID_MAX_CHARS + 8];
    struct account account = {client_id, "enrol", surroundings->enrol_password};
    struct will no_will = {NULL, NULL};
    struct broker entrance = entrance_of(&surroundings->broker);
    joining.certificate = entrance.ca == NULL ? NULL : surroundings->broker.certificate;
    snprintf(client_id, sizeof client_id, "enrol-%s", device->id);
    if (!prepare(&joining, device, surroundings->token))
        return SESSION_LOST;
    device->link.owner = &joining;
    device->link.when_up = when_up;
    device->link.when_message = when_message;
    if (link_open(&device->link, &entrance, &account, &no_will))
        repeat_until_answered(&joining, surroundings->stop_asked);
    enum session_end end = joining.accepted                      ? SESSION_ACCEPTED
                           : *surroundings->stop_asked           ? SESSION_STOPPED
                           : device->link.state == LINK_REFUSED ? SESSION_REFUSED
                                                                 : SESSION_LOST;
    link_close(&device->link);
    return end;
}
