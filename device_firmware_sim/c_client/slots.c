#include "slots.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "digest.h"

bool slot_path(char path[PATH_MAX_CHARS], const struct flash *flash, uint8_t slot)
{
    int size = snprintf(path, PATH_MAX_CHARS, "%s/slot%u", flash->directory, (unsigned)slot);
    return size > 0 && size < PATH_MAX_CHARS;
}

static int slot_open(const struct flash *flash, uint8_t slot, int flags)
{
    char path[PATH_MAX_CHARS];
    return slot_path(path, flash, slot) ? open(path, O_WRONLY | O_CREAT | flags, 0600) : -1;
}

static bool sync_and_close(int file)
{
    bool good = fsync(file) == 0;
    return close(file) == 0 && good;
}

bool slot_erase(const struct flash *flash, uint8_t slot)
{
    int file = slot_open(flash, slot, O_TRUNC);
    return file >= 0 && sync_and_close(file);
}

bool slot_write(const struct flash *flash, uint8_t slot, uint32_t offset, struct bytes block)
{
    if ((uint64_t)offset + block.size > flash->slot_bytes)
        return false;
    int file = slot_open(flash, slot, 0);
    if (file < 0)
        return false;
    ssize_t written = pwrite(file, block.data, block.size, (off_t)offset);
    return sync_and_close(file) && written == (ssize_t)block.size;
}

bool slot_is_whole(const struct flash *flash, uint8_t slot, const struct slot_content *content)
{
    char path[PATH_MAX_CHARS];
    uint8_t digest[DIGEST_BYTES];
    return content->whole && slot_path(path, flash, slot) &&
           sha256_of_file(digest, path, content->size_bytes) &&
           memcmp(digest, content->digest, DIGEST_BYTES) == 0;
}
