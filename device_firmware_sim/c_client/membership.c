#include "membership.h"

#include "certificate.h"

#define REFUSALS_MAX 5
#define MISSES_MAX 8
#define MISSES_AT_ENTRANCE_MAX 3
#define RENEWS_AGAIN_AFTER_MS 3600000

static void note_accepted(struct device *device, bool accepted)
{
    struct boot_record next = device->record;
    next.accepted = accepted;
    if (next.accepted != device->record.accepted)
        device_replace_record(device, &next);
}

bool membership_joins(const struct membership *membership, const struct device *device,
                      struct surroundings *surroundings)
{
    bool over_tls = surroundings->broker.ca != NULL;
    int64_t renews_at = over_tls ? certificate_renewal_at(surroundings->broker.certificate) : 0;
    surroundings->renews_at = device->has_clock ? renews_at : 0;
    return !device->record.accepted || membership->asks_again || (over_tls && renews_at == 0);
}

static void note_by_secret(struct membership *membership, struct device *device, bool joined,
                           enum session_end end)
{
    membership->misses = end == SESSION_REFUSED && !joined ? membership->misses + 1 : 0;
    if (membership->misses == REFUSALS_MAX)
        note_accepted(device, false);
}

/* A certificate that is not taken looks like a connection that breaks: each attempt counts. */
static void note_over_tls(struct membership *membership, const struct device *device,
                          struct surroundings *surroundings, bool joined, enum session_end end)
{
    membership->misses = device->link.was_up ? 0 : membership->misses + 1;
    if (end == SESSION_RENEWS || (!joined && membership->misses == MISSES_MAX)) {
        membership->asks_again = true;
        membership->misses = 0;
    } else if (joined && (device->link.was_up || membership->misses == MISSES_AT_ENTRANCE_MAX)) {
        membership->asks_again = false;
        membership->misses = 0;
        surroundings->renews_not_before = monotonic_ms() + RENEWS_AGAIN_AFTER_MS;
    }
}

void membership_note(struct membership *membership, struct device *device,
                     struct surroundings *surroundings, bool joined, enum session_end end)
{
    if (end == SESSION_ACCEPTED)
        note_accepted(device, true);
    if (surroundings->broker.ca == NULL)
        note_by_secret(membership, device, joined, end);
    else
        note_over_tls(membership, device, surroundings, joined, end);
}
