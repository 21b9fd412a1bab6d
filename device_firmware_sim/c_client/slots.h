/* The two model slots: files of at most `slot_bytes` beside the boot record. */
#ifndef SLOTS_H
#define SLOTS_H

#include "boot_record.h"

struct flash {
    const char *directory;
    uint32_t slot_bytes;
};

bool slot_path(char path[PATH_MAX_CHARS], const struct flash *flash, uint8_t slot);
bool slot_erase(const struct flash *flash, uint8_t slot);
/* Durable when it returns true. False: beyond the slot, or the file cannot be written. */
bool slot_write(const struct flash *flash, uint8_t slot, uint32_t offset, struct bytes block);
/* Whether the slot holds what the boot record says, by size and SHA-256. */
bool slot_is_whole(const struct flash *flash, uint8_t slot, const struct slot_content *content);

#endif
