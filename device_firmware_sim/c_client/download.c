#include "download.h"

#include <string.h>

#include "durable_file.h"

#define NOTE_HEAD_BYTES (UUID_BYTES + 8 + DIGEST_BYTES + 2)
#define NOTE_MAX_BYTES (NOTE_HEAD_BYTES + BLOCKS_MAX / 8 + CRC_BYTES)

static size_t have_bytes(const struct download *download)
{
    return (block_count(download->cut) + 7) / 8;
}

static void write_head(uint8_t head[NOTE_HEAD_BYTES], const struct download *download)
{
    memcpy(head, download->order.deployment, UUID_BYTES);
    head += UUID_BYTES;
    big_endian_32(head, (uint32_t)(download->order.sequence >> 32));
    big_endian_32(head + 4, (uint32_t)download->order.sequence);
    memcpy(head + 8, download->digest, DIGEST_BYTES);
    head[8 + DIGEST_BYTES] = download->cut.exponent;
    head[8 + DIGEST_BYTES + 1] = download->slot;
}

static bool store_note(const struct download *download, const struct flash *flash)
{
    char path[PATH_MAX_CHARS];
    uint8_t note[NOTE_MAX_BYTES];
    size_t size = NOTE_HEAD_BYTES + have_bytes(download);
    write_head(note, download);
    memcpy(note + NOTE_HEAD_BYTES, download->have, have_bytes(download));
    big_endian_32(note + size, crc32_of(bytes_of(note, size)));
    return file_path(path, sizeof path, flash->directory, "download") &&
           file_replace(path, bytes_of(note, size + CRC_BYTES));
}

static uint32_t count_blocks(const struct download *download)
{
    uint32_t count = 0;
    for (uint32_t number = 0; number < block_count(download->cut); number++)
        count += download_has(download, number);
    return count;
}

static bool load_note(struct download *download, const struct flash *flash)
{
    char path[PATH_MAX_CHARS];
    uint8_t note[NOTE_MAX_BYTES];
    uint8_t head[NOTE_HEAD_BYTES];
    uint8_t crc[CRC_BYTES];
    size_t size = NOTE_HEAD_BYTES + have_bytes(download);
    if (!file_path(path, sizeof path, flash->directory, "download") ||
        file_read(path, note, sizeof note) != (long)(size + CRC_BYTES))
        return false;
    write_head(head, download);
    big_endian_32(crc, crc32_of(bytes_of(note, size)));
    if (memcmp(note + size, crc, CRC_BYTES) != 0 || memcmp(note, head, NOTE_HEAD_BYTES) != 0)
        return false;
    memcpy(download->have, note + NOTE_HEAD_BYTES, have_bytes(download));
    download->have_count = count_blocks(download);
    return true;
}

bool download_open(struct download *download, const struct flash *flash)
{
    memset(download->have, 0, sizeof download->have);
    download->have_count = 0;
    if (load_note(download, flash))
        return true;
    /* The note first: it must never claim blocks of an erased slot. */
    return store_note(download, flash) && slot_erase(flash, download->slot);
}

bool download_store(struct download *download, const struct flash *flash, uint32_t number,
                    struct bytes block)
{
    if (!slot_write(flash, download->slot, block_offset(download->cut, number), block))
        return false;
    download->have[number / 8] |= (uint8_t)(1u << number % 8);
    download->have_count++;
    return store_note(download, flash);
}

bool download_has(const struct download *download, uint32_t number)
{
    return (download->have[number / 8] >> number % 8 & 1) != 0;
}

bool download_is_complete(const struct download *download)
{
    return download->have_count == block_count(download->cut);
}

double download_progress(const struct download *download)
{
    return (double)download->have_count / block_count(download->cut);
}
