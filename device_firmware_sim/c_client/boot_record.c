#include "boot_record.h"

#include <string.h>
#include <unistd.h>

#include "blocks.h"
#include "cbor.h"
#include "durable_file.h"

#define RECORD_MAX_BYTES 1024
#define RECORD_MEMBERS 9

static void put_slot(struct cbor_out *out, const struct slot_content *slot)
{
    cbor_put_head(out, CBOR_ARRAY, 3);
    cbor_put_bool(out, slot->whole);
    cbor_put_bytes(out, bytes_of(slot->digest, DIGEST_BYTES));
    cbor_put_head(out, CBOR_UINT, slot->size_bytes);
}

static void put_order(struct cbor_out *out, const struct order *order)
{
    cbor_put_head(out, CBOR_ARRAY, 3);
    cbor_put_bool(out, order->exists);
    cbor_put_bytes(out, bytes_of(order->deployment, UUID_BYTES));
    cbor_put_head(out, CBOR_UINT, order->sequence);
}

static void put_ending(struct cbor_out *out, const struct ending *ended)
{
    cbor_put_head(out, CBOR_ARRAY, 4);
    put_order(out, &ended->order);
    cbor_put_head(out, CBOR_UINT, (uint64_t)ended->status);
    cbor_put_head(out, CBOR_UINT, (uint64_t)ended->code);
    cbor_put_text(out, ended->detail);
}

static void put_record(struct cbor_out *out, const struct boot_record *record)
{
    cbor_put_head(out, CBOR_ARRAY, RECORD_MEMBERS);
    cbor_put_head(out, CBOR_UINT, record->boot);
    cbor_put_bool(out, record->accepted);
    cbor_put_head(out, CBOR_UINT, record->active);
    for (int i = 0; i < SLOTS; i++)
        put_slot(out, &record->slots[i]);
    cbor_put_head(out, CBOR_UINT, record->floor);
    cbor_put_head(out, CBOR_UINT, record->time_floor);
    put_order(out, &record->under_way);
    put_ending(out, &record->ended);
}

bool boot_record_store(const struct boot_record *record, const char *path)
{
    uint8_t content[RECORD_MAX_BYTES];
    uint8_t crc[CRC_BYTES];
    struct cbor_out out = {content, 0, sizeof content, false};
    put_record(&out, record);
    big_endian_32(crc, crc32_of(bytes_of(content, out.size)));
    cbor_put_raw(&out, bytes_of(crc, sizeof crc));
    return !out.full && file_replace(path, bytes_of(content, out.size));
}

static void read_slot(struct cbor *in, struct slot_content *slot)
{
    cbor_expect_array(in, 3);
    slot->whole = cbor_bool(in);
    struct bytes digest = cbor_bytes_of(in, DIGEST_BYTES);
    if (!in->bad)
        memcpy(slot->digest, digest.data, DIGEST_BYTES);
    slot->size_bytes = (uint32_t)cbor_uint_within(in, 0, SLOT_BYTES_MAX);
}

static void read_order(struct cbor *in, struct order *order)
{
    cbor_expect_array(in, 3);
    order->exists = cbor_bool(in);
    struct bytes deployment = cbor_bytes_of(in, UUID_BYTES);
    if (!in->bad)
        memcpy(order->deployment, deployment.data, UUID_BYTES);
    order->sequence = cbor_uint(in);
}

static void read_ending(struct cbor *in, struct ending *ended)
{
    cbor_expect_array(in, 4);
    read_order(in, &ended->order);
    ended->status = (enum status)cbor_uint_within(in, 0, STATUSES - 1);
    ended->code = (enum result_code)cbor_uint_within(in, 0, CODES - 1);
    struct bytes detail = cbor_text(in, DETAIL_MAX_CHARS);
    if (!in->bad && detail.size <= DETAIL_MAX_CHARS)
        memcpy(ended->detail, detail.data, detail.size);
}

static bool read_record(struct cbor *in, struct boot_record *record)
{
    cbor_expect_array(in, RECORD_MEMBERS);
    record->boot = cbor_uint(in);
    record->accepted = cbor_bool(in);
    record->active = (uint8_t)cbor_uint_within(in, 0, NO_SLOT);
    for (int i = 0; i < SLOTS; i++)
        read_slot(in, &record->slots[i]);
    record->floor = cbor_uint(in);
    record->time_floor = cbor_uint(in);
    read_order(in, &record->under_way);
    read_ending(in, &record->ended);
    return cbor_is_done(in) && (record->active < SLOTS || record->active == NO_SLOT);
}

bool boot_record_load(struct boot_record *record, const char *path)
{
    uint8_t content[RECORD_MAX_BYTES];
    uint8_t crc[CRC_BYTES];
    memset(record, 0, sizeof *record);
    record->active = NO_SLOT;
    if (access(path, F_OK) != 0)
        return true;
    long size = file_read(path, content, sizeof content);
    if (size < CRC_BYTES)
        return false;
    struct bytes body = bytes_of(content, (size_t)size - CRC_BYTES);
    big_endian_32(crc, crc32_of(body));
    struct cbor in = cbor_open(body);
    return memcmp(crc, content + body.size, CRC_BYTES) == 0 && read_record(&in, record);
}
