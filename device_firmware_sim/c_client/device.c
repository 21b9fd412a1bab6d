#include "device.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "durable_file.h"

#define REPEATS_AFTER_MS 300000

bool device_replace_record(struct device *device, const struct boot_record *next)
{
    char path[PATH_MAX_CHARS];
    if (!file_path(path, sizeof path, device->flash.directory, "boot_record") ||
        !boot_record_store(next, path)) {
        device_log(device, "flash_error", "the boot record cannot be written");
        return false;
    }
    device->record = *next;
    return true;
}

struct circumstances device_circumstances(const struct device *device)
{
    struct circumstances circumstances = {
        .device_id = device->id,
        .firmware = &device->firmware,
        .floor = device->record.floor,
        .time_floor = device->record.time_floor,
        .has_clock = device->has_clock,
        .now = device->has_clock ? (uint64_t)time(NULL) : 0,
    };
    return circumstances;
}

uint8_t device_inactive_slot(const struct device *device)
{
    return device->record.active == 0 ? 1 : 0;
}

bool device_runs(const struct device *device, struct bytes digest)
{
    return device->record.active != NO_SLOT &&
           bytes_equal(digest, bytes_of(device->record.slots[device->record.active].digest,
                                        DIGEST_BYTES));
}

void device_topic(char topic[TOPIC_MAX_CHARS], const struct device *device, const char *kind)
{
    snprintf(topic, TOPIC_MAX_CHARS, "tinyfleet/v1/%s/%s", device->id, kind);
}

static void say(struct device *device, const char *kind, const struct json_out *message,
                bool retain)
{
    char topic[TOPIC_MAX_CHARS];
    device_topic(topic, device, kind);
    if (message->full)
        device_log(device, "too_long", kind);
    else
        link_publish(&device->link, topic, message->text, retain);
}

void device_say_state(struct device *device)
{
    char text[256];
    struct json_out out = json_open(text, sizeof text);
    write_state(&out, &device->record);
    say(device, "state", &out, true);
}

static void say_report(struct device *device, const struct report *report)
{
    struct json_out out = json_open(device->last_report, sizeof device->last_report);
    write_report(&out, report);
    device_log(device, status_name(report->status), code_name(report->code));
    say(device, "report", &out, false);
}

void device_say_report(struct device *device, const struct order *order, enum status status,
                       enum result_code code)
{
    struct report report = {order, status, code, device->record.boot, 0, code_sentence(code)};
    if (device->is_fetching)
        report.progress = download_progress(&device->download);
    say_report(device, &report);
}

void device_say_ended(struct device *device)
{
    const struct ending *ended = &device->record.ended;
    struct report report = {&ended->order, ended->status,        ended->code,
                            device->record.boot, ended->status == STATUS_INSTALLED,
                            ended->detail};
    if (ended->order.exists)
        say_report(device, &report);
}

static void subscribe(struct device *device, const char *kind)
{
    char topic[TOPIC_MAX_CHARS];
    device_topic(topic, device, kind);
    link_subscribe(&device->link, topic);
}

/* Devices that connected at the same time do not repeat at the same time. */
static uint64_t repeats_after_ms(const struct device *device)
{
    return REPEATS_AFTER_MS + crc32_of(bytes_of_text(device->id)) % REPEATS_AFTER_MS;
}

static void say_self(struct device *device)
{
    char text[TD_MAX_BYTES];
    struct json_out out = json_open(text, sizeof text);
    write_td(&out, device->id, &device->firmware);
    say(device, "td", &out, true);
    out = json_open(text, sizeof text);
    write_online(&out, true, device->record.boot);
    say(device, "online", &out, true);
    device_say_state(device);
    device->repeats_at = monotonic_ms() + repeats_after_ms(device);
}

void device_greet(struct device *device)
{
    say_self(device);
    device_say_ended(device);
    subscribe(device, "desired");
    subscribe(device, "acked");
}

void device_repeat(struct device *device)
{
    char topic[TOPIC_MAX_CHARS];
    if (monotonic_ms() < device->repeats_at)
        return;
    say_self(device);
    device_topic(topic, device, "report");
    if (device->last_report[0] != '\0')
        link_publish(&device->link, topic, device->last_report, false);
}

void device_log(const struct device *device, const char *event, const char *what)
{
    fprintf(stderr, "%s boot=%llu %s %s\n", device->id, (unsigned long long)device->record.boot,
            event, what);
}

void power_may_go(struct device *device, const char *event)
{
    if (device->cut_at == NULL || strcmp(device->cut_at, event) != 0)
        return;
    if (device->cut_count-- <= 1)
        kill(getpid(), SIGKILL);
}
