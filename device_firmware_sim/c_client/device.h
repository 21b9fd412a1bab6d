/* The device: what it is, what it knows after a power cut, and the update under way. */
#ifndef DEVICE_H
#define DEVICE_H

#include "acceptance.h"
#include "download.h"
#include "identity.h"
#include "link.h"
#include "messages.h"
#include "runtime_command.h"
#include "trust.h"

#define REPORT_MAX_BYTES 1024

/* An envelope as it came; longer ones are kept as one byte too long, which is what refuses them. */
struct envelope_buffer {
    uint8_t data[ENVELOPE_MAX_BYTES + 1];
    size_t size;
};

/* Blocks that are subscribed to. */
struct window {
    uint32_t numbers[WINDOW_BLOCKS];
    size_t count;
    unsigned bad_blocks;    /* since the last good one */
    uint64_t asks_again_at; /* monotonic ms */
    uint64_t wait_ms;
};

struct device {
    const char *id;
    bool has_clock;
    struct firmware firmware;
    struct trust trust;
    struct identity identity;
    struct flash flash;
    struct boot_record record;
    struct runtime_command runtime;
    struct link link;

    bool desired_waits; /* a level: the newest says it all */
    struct envelope_buffer desired;

    bool is_fetching;
    struct envelope_buffer order_envelope; /* what `manifest` views */
    struct manifest manifest;              /* of the order under way */
    struct download download;
    struct window window;

    char last_report[REPORT_MAX_BYTES]; /* empty: none since the start */
    uint64_t repeats_at;                /* monotonic ms: when all is said again, unasked */

    const char *cut_at; /* tests: the event after which the power goes; NULL: never */
    unsigned cut_count; /* how many of them come first */
};

/* Writes the next boot record; only then is it the device's. False: the old one stands. */
bool device_replace_record(struct device *device, const struct boot_record *next);
struct circumstances device_circumstances(const struct device *device);
uint8_t device_inactive_slot(const struct device *device);
bool device_runs(const struct device *device, struct bytes digest);

/* Topics of its own: `kind` is td, online, state, desired, report or acked. */
void device_topic(char topic[TOPIC_MAX_CHARS], const struct device *device, const char *kind);
void device_say_state(struct device *device);
void device_say_report(struct device *device, const struct order *order, enum status status,
                       enum result_code code);
/* What is published and subscribed to after each connection. */
void device_greet(struct device *device);
/* Says again what matters where that is due: a broker's queue may overflow. */
void device_repeat(struct device *device);
void device_say_ended(struct device *device);

/* A line on stderr. */
void device_log(const struct device *device, const char *event, const char *what);
/* Where a test cuts the power: kills the process if this is the event that was asked for. */
void power_may_go(struct device *device, const char *event);

#endif
