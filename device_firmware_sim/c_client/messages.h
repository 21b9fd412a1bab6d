/* What a device says of itself: td, online, state and reports. */
#ifndef MESSAGES_H
#define MESSAGES_H

#include "boot_record.h"
#include "firmware.h"
#include "json.h"

struct report {
    const struct order *order; /* NULL where the order could not be read */
    enum status status;
    enum result_code code;
    uint64_t boot;
    double progress; /* fraction of the blocks that are there */
    const char *detail;
};

void write_report(struct json_out *out, const struct report *report);
void write_online(struct json_out *out, bool online, uint64_t boot);
void write_state(struct json_out *out, const struct boot_record *record);
void write_td(struct json_out *out, const char *device_id, const struct firmware *firmware);

#endif
