#include "update.h"

#include <stdio.h>
#include <string.h>

#include "durable_file.h"
#include "envelope.h"
#include "fetch.h"
#include "self_test.h"

static struct order order_of(const struct manifest *manifest)
{
    struct order order = {true, {0}, manifest->sequence};
    memcpy(order.deployment, manifest->deployment.data, UUID_BYTES);
    return order;
}

static bool is_order(const struct order *order, const struct manifest *manifest)
{
    return order->exists && order->sequence == manifest->sequence &&
           bytes_equal(manifest->deployment, bytes_of(order->deployment, UUID_BYTES));
}

/* The order under way is over. One write holds how it ended and, after a commit, what runs. */
static void end_order_with(struct device *device, struct boot_record *next, enum status status,
                           enum result_code code)
{
    struct ending ended = {device->record.under_way, status, code, ""};
    snprintf(ended.detail, sizeof ended.detail, "%s", code_sentence(code));
    fetch_stop(device);
    next->ended = ended;
    next->under_way.exists = false;
    if (!device_replace_record(device, next)) {
        device_say_report(device, &ended.order, STATUS_FAILED, CODE_FLASH_ERROR);
        return;
    }
    if (status == STATUS_INSTALLED)
        power_may_go(device, "committed");
    device_say_ended(device);
    device_say_state(device);
}

static void end_order(struct device *device, enum status status, enum result_code code)
{
    struct boot_record next = device->record;
    end_order_with(device, &next, status, code);
}

/* The codes that say that the network is not for this device; the others say that it went wrong. */
static enum status ending_of(enum result_code code)
{
    switch (code) {
    case CODE_MALFORMED:
    case CODE_ARENA_TOO_SMALL:
    case CODE_MISSING_OPERATOR:
    case CODE_WRONG_SHAPE:
    case CODE_TOO_LARGE: return STATUS_REJECTED;
    default: return STATUS_FAILED;
    }
}

/* A shape without lengths is one that the server does not know. */
static bool shape_is_wanted(const struct shape *found, const struct shape *wanted)
{
    return wanted->lengths_count == 0 || shapes_are_equal(found, wanted);
}

static enum result_code check_network(struct device *device, const char *path)
{
    struct network network;
    char input_path[PATH_MAX_CHARS];
    struct runtime *runtime = &device->runtime.runtime;
    const struct manifest *manifest = &device->manifest;
    enum result_code code = runtime->load(runtime, path, &network);
    if (code != CODE_OK)
        return code;
    if (!shape_is_wanted(&network.input_shape, &manifest->input_shape) ||
        !shape_is_wanted(&network.output_shape, &manifest->output_shape))
        return CODE_WRONG_SHAPE;
    if (manifest->has_self_test &&
        (!file_path(input_path, sizeof input_path, device->flash.directory, "self_test_input") ||
         !self_test_passes(&manifest->self_test, runtime, &network, path, input_path)))
        return CODE_SELF_TEST_FAILED;
    return CODE_OK;
}

static enum result_code check_slot(struct device *device, const struct slot_content *content)
{
    char path[PATH_MAX_CHARS];
    if (!slot_path(path, &device->flash, device->download.slot))
        return CODE_FLASH_ERROR;
    if (!slot_is_whole(&device->flash, device->download.slot, content))
        return CODE_BAD_DIGEST;
    return check_network(device, path);
}

static void commit(struct device *device, const struct slot_content *content)
{
    struct boot_record next = device->record;
    next.active = device->download.slot;
    next.slots[next.active] = *content;
    end_order_with(device, &next, STATUS_INSTALLED, CODE_OK);
}

static void install(struct device *device)
{
    struct slot_content content = {true, {0}, device->manifest.size_bytes};
    memcpy(content.digest, device->download.digest, DIGEST_BYTES);
    device_say_report(device, &device->record.under_way, STATUS_INSTALLING, CODE_OK);
    power_may_go(device, "installing");
    device_say_report(device, &device->record.under_way, STATUS_VERIFYING, CODE_OK);
    enum result_code code = check_slot(device, &content);
    power_may_go(device, "verifying");
    if (code == CODE_OK)
        commit(device, &content);
    else
        end_order(device, ending_of(code), code);
}

/* The order is under way: fetch it, or be done where its artifact runs already. */
static void carry_on(struct device *device)
{
    if (device_runs(device, device->manifest.digest)) {
        end_order(device, STATUS_INSTALLED, CODE_OK);
        return;
    }
    enum result_code code = fetch_begin(device);
    if (code != CODE_OK)
        end_order(device, ending_of(code), code);
}

static enum result_code read_envelope(const struct envelope_buffer *envelope,
                                      const struct trust *trust, struct manifest *manifest)
{
    struct bytes bytes;
    enum result_code code = envelope_verify(bytes_of(envelope->data, envelope->size), trust,
                                            &bytes);
    return code == CODE_OK ? manifest_read(bytes, manifest) : code;
}

/* Keeps the envelope, of which the manifest's values are views. */
static void keep_manifest(struct device *device, const struct envelope_buffer *envelope)
{
    device->order_envelope = *envelope;
    read_envelope(&device->order_envelope, &device->trust, &device->manifest);
}

/* From here nothing older is ever followed. Only then is the inactive slot touched. */
static void accept(struct device *device)
{
    const struct manifest *manifest = &device->manifest;
    struct boot_record next = device->record;
    next.floor = manifest->sequence;
    if (manifest->issued_at > next.time_floor)
        next.time_floor = manifest->issued_at;
    next.under_way = order_of(manifest);
    next.slots[device_inactive_slot(device)].whole = false;
    if (!device_replace_record(device, &next)) {
        device_say_report(device, &next.under_way, STATUS_FAILED, CODE_FLASH_ERROR);
        return;
    }
    device_say_report(device, &next.under_way, STATUS_NOTIFIED, CODE_OK);
    power_may_go(device, "accepted");
    carry_on(device);
}

static void judge(struct device *device, const struct manifest *manifest,
                  const struct envelope_buffer *envelope)
{
    struct circumstances circumstances = device_circumstances(device);
    struct order order = order_of(manifest);
    enum result_code code = accept_manifest(manifest, &circumstances);
    if (code != CODE_OK) {
        device_say_report(device, &order, STATUS_REJECTED, code);
        return;
    }
    fetch_stop(device);
    keep_manifest(device, envelope);
    accept(device);
}

static void follow(struct device *device, const struct envelope_buffer *envelope)
{
    struct manifest manifest;
    enum result_code code = read_envelope(envelope, &device->trust, &manifest);
    if (code != CODE_OK) {
        device_say_report(device, NULL, STATUS_REJECTED, code);
    } else if (is_order(&device->record.ended.order, &manifest)) {
        device_say_ended(device);
    } else if (!is_order(&device->record.under_way, &manifest)) {
        judge(device, &manifest, envelope);
    } else if (!device->is_fetching) {
        keep_manifest(device, envelope);
        carry_on(device);
    }
}

static void withdraw(struct device *device)
{
    struct boot_record next = device->record;
    next.under_way.exists = false;
    fetch_stop(device);
    if (device->record.under_way.exists && device_replace_record(device, &next))
        device_log(device, "withdrawn", "there is no order any more");
}

static void take_desired(struct device *device)
{
    struct envelope_buffer envelope = device->desired;
    device->desired_waits = false;
    if (envelope.size == 0)
        withdraw(device);
    else
        follow(device, &envelope);
}

void update_step(struct device *device)
{
    if (device->desired_waits)
        take_desired(device);
    if (!device->is_fetching)
        return;
    struct circumstances circumstances = device_circumstances(device);
    if (is_expired(&device->manifest, &circumstances))
        end_order(device, STATUS_FAILED, CODE_EXPIRED);
    else if (download_is_complete(&device->download))
        install(device);
    else
        fetch_step(device);
}

void update_take_block(struct device *device, const char *topic, struct bytes payload)
{
    enum result_code code = fetch_take(device, topic, payload);
    if (code != CODE_OK)
        end_order(device, STATUS_FAILED, code);
}

/* Whether the slot's network runs. An interpreter that does not work says nothing about it. */
static bool slot_runs(struct device *device, uint8_t slot)
{
    char path[PATH_MAX_CHARS];
    struct network network;
    struct runtime *runtime = &device->runtime.runtime;
    if (!slot_is_whole(&device->flash, slot, &device->record.slots[slot]) ||
        !slot_path(path, &device->flash, slot))
        return false;
    enum result_code code = runtime->load(runtime, path, &network);
    return code == CODE_OK || code == CODE_SELF_TEST_FAILED;
}

void update_check_boot(struct device *device)
{
    struct boot_record *record = &device->record;
    if (record->active == NO_SLOT || slot_runs(device, record->active))
        return;
    uint8_t other = device_inactive_slot(device);
    record->slots[record->active].whole = false;
    record->active = slot_runs(device, other) ? other : NO_SLOT;
    if (record->ended.status == STATUS_INSTALLED) {
        record->ended.status = STATUS_ROLLED_BACK;
        record->ended.code = CODE_REVERTED;
        snprintf(record->ended.detail, sizeof record->ended.detail, "%s",
                 code_sentence(CODE_REVERTED));
    }
    device_log(device, "reverted", "the active slot does not hold what it should");
}
