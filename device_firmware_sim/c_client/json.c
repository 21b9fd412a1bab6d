#include "json.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>


struct json_out json_open(char *text, size_t room)
{
    struct json_out out = {text, 0, room, false};
    text[0] = '\0';
    return out;
}

void json_put(struct json_out *out, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int size = vsnprintf(out->text + out->size, out->room - out->size, format, values);
    va_end(values);
    if (size < 0 || (size_t)size >= out->room - out->size) {
        out->full = true;
        return;
    }
    out->size += (size_t)size;
}

void json_put_text(struct json_out *out, const char *text)
{
    json_put(out, "\"");
    for (; *text != '\0'; text++) {
        unsigned char character = (unsigned char)*text;
        if (character == '"' || character == '\\')
            json_put(out, "\\%c", character);
        else if (character == '\n')
            json_put(out, "\\n");
        else if (character < 0x20)
            json_put(out, "\\u%04x", character);
        else
            json_put(out, "%c", character);
    }
    json_put(out, "\"");
}

/* NULL where the payload is too long or no object. The caller deletes it. */
static cJSON *read_object(struct bytes payload)
{
    if (payload.size > JSON_MAX_BYTES)
        return NULL;
    cJSON *object = cJSON_ParseWithLength((const char *)payload.data, payload.size);
    if (object != NULL && !cJSON_IsObject(object)) {
        cJSON_Delete(object);
        return NULL;
    }
    return object;
}

static bool read_text(char *to, size_t room, const cJSON *object, const char *member)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, member);
    return cJSON_IsString(value) && (size_t)snprintf(to, room, "%s", value->valuestring) < room;
}

static bool read_whole_number(uint64_t *to, const cJSON *object, const char *member)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, member);
    if (!cJSON_IsNumber(value) || value->valuedouble < 0 ||
        value->valuedouble > (double)WHOLE_NUMBER_MOST)
        return false;
    *to = (uint64_t)value->valuedouble;
    return (double)*to == value->valuedouble;
}

static bool read_optional_text(char *to, size_t room, const cJSON *object, const char *member)
{
    to[0] = '\0';
    return !cJSON_HasObjectItem(object, member) || read_text(to, room, object, member);
}

bool json_read_enrolment_result(struct enrolment_result *result, struct bytes payload)
{
    cJSON *object = read_object(payload);
    bool good = object != NULL &&
                read_text(result->answer, sizeof result->answer, object, "answer") &&
                read_text(result->reason, sizeof result->reason, object, "reason") &&
                read_optional_text(result->certificate, sizeof result->certificate, object,
                                   "certificate");
    cJSON_Delete(object);
    return good;
}

bool json_read_acked(uint64_t *boot, uint64_t *sequence, struct bytes payload)
{
    cJSON *object = read_object(payload);
    bool good = object != NULL && read_whole_number(boot, object, "boot") &&
                read_whole_number(sequence, object, "sequence");
    cJSON_Delete(object);
    return good;
}
