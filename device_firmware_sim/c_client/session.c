#include "session.h"

#include <string.h>
#include <time.h>

#include "fetch.h"
#include "update.h"

#define TURN_MS 100

static void when_up(void *owner)
{
    struct device *device = owner;
    device_log(device, "connected", "as itself");
    device_greet(device);
    fetch_forget_window(device);
}

static void keep_desired(struct device *device, struct bytes payload)
{
    size_t most = sizeof device->desired.data;
    device->desired.size = payload.size < most ? payload.size : most;
    if (device->desired.size > 0)
        memcpy(device->desired.data, payload.data, device->desired.size);
    device->desired_waits = true;
}

/* A boot that has not been yet: the flash was wiped, and boots go on from there. */
static void take_acked(struct device *device, struct bytes payload)
{
    uint64_t boot;
    uint64_t sequence;
    struct boot_record next = device->record;
    if (!json_read_acked(&boot, &sequence, payload) || boot <= next.boot)
        return;
    next.boot = boot + 1;
    if (device_replace_record(device, &next))
        device->link.state = LINK_LOST; /* the will must name the new boot */
}

static void when_message(void *owner, const char *topic, struct bytes payload)
{
    struct device *device = owner;
    char own[TOPIC_MAX_CHARS];
    device_topic(own, device, "desired");
    if (strcmp(topic, own) == 0) {
        keep_desired(device, payload);
        return;
    }
    device_topic(own, device, "acked");
    if (strcmp(topic, own) == 0)
        take_acked(device, payload);
    else
        update_take_block(device, topic, payload);
}

static bool open_link(struct device *device, const struct broker *broker)
{
    char topic[TOPIC_MAX_CHARS];
    char text[64];
    struct json_out out = json_open(text, sizeof text);
    bool has_certificate = broker->ca != NULL;
    struct account account = {device->id, has_certificate ? NULL : device->id,
                              has_certificate ? NULL : device->identity.secret};
    struct will will = {topic, text};
    write_online(&out, false, device->record.boot);
    device_topic(topic, device, "online");
    device->link.owner = device;
    device->link.when_up = when_up;
    device->link.when_message = when_message;
    return link_open(&device->link, broker, &account, &will);
}

static void say_goodbye(struct device *device)
{
    char topic[TOPIC_MAX_CHARS];
    char text[64];
    struct json_out out = json_open(text, sizeof text);
    write_online(&out, false, device->record.boot);
    device_topic(topic, device, "online");
    link_publish(&device->link, topic, text, true);
}

static bool renews(const struct surroundings *surroundings)
{
    return surroundings->renews_at != 0 && (int64_t)time(NULL) >= surroundings->renews_at &&
           monotonic_ms() >= surroundings->renews_not_before;
}

enum session_end session_serve(struct device *device, const struct surroundings *surroundings)
{
    bool opened = open_link(device, &surroundings->broker);
    while (opened && device->link.state == LINK_UP && !*surroundings->stop_asked &&
           !renews(surroundings)) {
        link_turn(&device->link, TURN_MS);
        update_step(device);
        device_repeat(device);
    }
    enum session_end end = *surroundings->stop_asked             ? SESSION_STOPPED
                           : device->link.state == LINK_UP      ? SESSION_RENEWS
                           : device->link.state == LINK_REFUSED ? SESSION_REFUSED
                                                                : SESSION_LOST;
    if (end == SESSION_STOPPED || end == SESSION_RENEWS)
        say_goodbye(device);
    link_close(&device->link);
    return end;
}
