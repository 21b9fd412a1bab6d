#include "messages.h"

#include <inttypes.h>

void write_report(struct json_out *out, const struct report *report)
{
    char deployment[UUID_CHARS + 1];
    if (report->order != NULL) {
        uuid_write(deployment, report->order->deployment);
        json_put(out, "{\"deployment\":\"%s\"", deployment);
    } else {
        json_put(out, "{\"deployment\":null");
    }
    json_put(out, ",\"status\":\"%s\",\"code\":\"%s\",\"boot\":%" PRIu64,
             status_name(report->status), code_name(report->code), report->boot);
    if (report->order != NULL)
        json_put(out, ",\"sequence\":%" PRIu64, report->order->sequence);
    else
        json_put(out, ",\"sequence\":null");
    json_put(out, ",\"progress\":%.4g,\"detail\":", report->progress);
    json_put_text(out, report->detail);
    json_put(out, "}");
}

void write_online(struct json_out *out, bool online, uint64_t boot)
{
    json_put(out, "{\"online\":%s,\"boot\":%" PRIu64 "}", online ? "true" : "false", boot);
}

void write_state(struct json_out *out, const struct boot_record *record)
{
    char digest[2 * DIGEST_BYTES + 1];
    if (record->active == NO_SLOT) {
        json_put(out, "{\"digest\":null,\"slot\":null");
    } else {
        hex_write(digest, bytes_of(record->slots[record->active].digest, DIGEST_BYTES));
        json_put(out, "{\"digest\":\"%s\",\"slot\":%u", digest, (unsigned)record->active);
    }
    json_put(out, ",\"sequence\":%" PRIu64 ",\"boot\":%" PRIu64 "}", record->ended.order.sequence,
             record->boot);
}

static void write_runtime(struct json_out *out, const struct firmware *firmware)
{
    json_put(out, "\"tf:runtime\":{\"tf:name\":\"%s\",\"tf:version\":\"%s\",\"tf:kernels\":\"%s\"}",
             firmware->runtime, firmware->runtime_version, firmware->kernels);
}

static void write_operators(struct json_out *out, const struct firmware *firmware)
{
    json_put(out, "\"tf:operators\":{");
    for (size_t i = 0; i < firmware->operators_count; i++)
        json_put(out, "%s\"%s\":%lu", i > 0 ? "," : "", firmware->operators[i].name,
                 (unsigned long)firmware->operators[i].version);
    json_put(out, "}");
}

static void write_dtypes(struct json_out *out, const struct firmware *firmware)
{
    json_put(out, "\"tf:dtypes\":[");
    for (size_t i = 0; i < firmware->dtypes_count; i++)
        json_put(out, "%s\"%s\"", i > 0 ? "," : "", firmware->dtypes[i]);
    json_put(out, "]");
}

static void write_sensor(struct json_out *out, const struct sensor *sensor)
{
    json_put(out, "{\"tf:kind\":\"%s\",\"tf:maxRateHz\":%.10g,\"tf:shape\":[", sensor->kind,
             sensor->max_rate_hz);
    for (size_t i = 0; i < sensor->shape.lengths_count; i++)
        json_put(out, "%s%lu", i > 0 ? "," : "", (unsigned long)sensor->shape.lengths[i]);
    json_put(out, "]}");
}

static void write_sensors(struct json_out *out, const struct firmware *firmware)
{
    json_put(out, "\"tf:sensors\":[");
    for (size_t i = 0; i < firmware->sensors_count; i++) {
        json_put(out, "%s", i > 0 ? "," : "");
        write_sensor(out, &firmware->sensors[i]);
    }
    json_put(out, "]");
}

static void write_capacity(struct json_out *out, const struct firmware *firmware)
{
    json_put(out, "\"tf:capacity\":{\"tf:arenaBudgetBytes\":%lu,\"tf:slotBytes\":%lu,",
             (unsigned long)firmware->arena_budget_bytes, (unsigned long)firmware->slot_bytes);
    write_runtime(out, firmware);
    json_put(out, ",");
    write_operators(out, firmware);
    json_put(out, ",");
    write_dtypes(out, firmware);
    json_put(out, ",");
    write_sensors(out, firmware);
    json_put(out, "}");
}

void write_td(struct json_out *out, const char *device_id, const struct firmware *firmware)
{
    json_put(out,
             "{\"@context\":[\"https://www.w3.org/2022/wot/td/v1.1\","
             "{\"tf\":\"https://w3id.org/tinyfleet/ontology#\"}],"
             "\"id\":\"urn:tinyfleet:device:%s\",\"title\":\"%s\","
             "\"securityDefinitions\":{\"basic\":{\"scheme\":\"basic\"}},\"security\":\"basic\","
             "\"tf:board\":\"%s\",\"tf:firmware\":{\"tf:name\":\"%s\",\"tf:version\":\"%s\"},",
             device_id, device_id, firmware->board, firmware->name, firmware->version);
    write_capacity(out, firmware);
    json_put(out, "}");
}
