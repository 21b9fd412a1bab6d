/* What a device must know after a power cut, written whole or not at all. */
#ifndef BOOT_RECORD_H
#define BOOT_RECORD_H

#include "bytes.h"
#include "limits.h"
#include "result.h"

#define SLOTS 2
#define NO_SLOT 255

struct slot_content {
    bool whole;
    uint8_t digest[DIGEST_BYTES];
    uint32_t size_bytes;
};

struct order {
    bool exists;
    uint8_t deployment[UUID_BYTES];
    uint64_t sequence;
};

struct ending {
    struct order order;
    enum status status;
    enum result_code code;
    char detail[DETAIL_MAX_CHARS + 1];
};

struct boot_record {
    uint64_t boot;  /* starts of the device; never goes back */
    bool accepted;  /* the installation has accepted this device's key */
    uint8_t active; /* the slot that runs, or NO_SLOT */
    struct slot_content slots[SLOTS];
    uint64_t floor;      /* highest sequence number that was accepted */
    uint64_t time_floor; /* newest issue time that was accepted, UNIX seconds */
    struct order under_way;
    struct ending ended; /* how the last order ended */
};

/* A record that is not there is one of a new device. False: it is there and damaged. */
bool boot_record_load(struct boot_record *record, const char *path);
bool boot_record_store(const struct boot_record *record, const char *path);

#endif
