#include "acceptance.h"

#include "digest.h"

static bool is_this_class(const struct manifest *manifest, const struct firmware *firmware)
{
    uint8_t class_id[UUID_BYTES];
    return tinyfleet_uuid(class_id, "board", firmware->board) &&
           bytes_equal(manifest->class_id, bytes_of(class_id, UUID_BYTES));
}

bool is_expired(const struct manifest *manifest, const struct circumstances *circumstances)
{
    uint64_t now = circumstances->has_clock ? circumstances->now : circumstances->time_floor;
    return manifest->expires_at <= now;
}

static bool operators_are_linked(const struct manifest *manifest, const struct firmware *firmware)
{
    uint64_t count;
    struct bytes previous = {NULL, 0};
    struct cbor in = operators_open(manifest, &count);
    for (uint64_t i = 0; i < count; i++) {
        struct operator_need need = operators_next(&in, &previous);
        if (!need.known || firmware_operator_version(firmware, need.name) < need.version)
            return false;
    }
    return true;
}

enum result_code accept_manifest(const struct manifest *manifest,
                                 const struct circumstances *circumstances)
{
    const struct firmware *firmware = circumstances->firmware;
    if (!bytes_equal(manifest->vendor_id, bytes_of(tinyfleet_vendor_id, UUID_BYTES)))
        return CODE_WRONG_VENDOR;
    if (!is_this_class(manifest, firmware))
        return CODE_WRONG_CLASS;
    if (!bytes_are_text(manifest->device_id, circumstances->device_id))
        return CODE_WRONG_DEVICE;
    if (manifest->sequence <= circumstances->floor)
        return CODE_OLD_SEQUENCE;
    if (is_expired(manifest, circumstances))
        return CODE_EXPIRED;
    if (manifest->size_bytes > firmware->slot_bytes)
        return CODE_TOO_LARGE;
    if (manifest->has_arena_bytes && manifest->arena_bytes > firmware->arena_budget_bytes)
        return CODE_ARENA_TOO_SMALL;
    if (!operators_are_linked(manifest, firmware))
        return CODE_MISSING_OPERATOR;
    if (manifest->runtime.size > 0 && !bytes_are_text(manifest->runtime, firmware->runtime))
        return CODE_WRONG_RUNTIME;
    return CODE_OK;
}
