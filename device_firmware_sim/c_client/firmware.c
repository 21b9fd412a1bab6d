#include "firmware.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_CHARS 256
#define WORDS_MAX (4 + SHAPE_MAX_LENGTHS)

/* Facts go into JSON texts as they are, so they hold nothing that JSON would have to escape. */
static bool copy_fact(char *to, size_t room, const char *fact)
{
    for (const char *at = fact; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr("_-.:+/", *at) == NULL)
            return false;
    return (size_t)snprintf(to, room, "%s", fact) < room;
}

static bool read_number(uint32_t *to, const char *word, uint32_t most)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(word, &end, 10);
    *to = (uint32_t)value;
    return errno == 0 && isdigit((unsigned char)*word) && *end == '\0' && value >= 1 &&
           value <= most;
}

static bool add_operator(struct firmware *firmware, char **words)
{
    if (firmware->operators_count == OPERATORS_MAX)
        return false;
    struct linked_operator *linked = &firmware->operators[firmware->operators_count++];
    return copy_fact(linked->name, sizeof linked->name, words[1]) &&
           read_number(&linked->version, words[2], OPERATOR_VERSION_MAX);
}

static bool add_dtype(struct firmware *firmware, char **words)
{
    return firmware->dtypes_count < DTYPES_MAX &&
           copy_fact(firmware->dtypes[firmware->dtypes_count++], FACT_MAX_CHARS, words[1]);
}

static bool add_sensor(struct firmware *firmware, char **words, size_t count)
{
    uint32_t rate_hz = 0;
    if (firmware->sensors_count == SENSORS_MAX)
        return false;
    struct sensor *sensor = &firmware->sensors[firmware->sensors_count++];
    bool good = copy_fact(sensor->kind, sizeof sensor->kind, words[1]) &&
                read_number(&rate_hz, words[2], UINT32_MAX);
    sensor->max_rate_hz = rate_hz;
    for (size_t i = 3; good && i < count; i++)
        good = sensor->shape.lengths_count < SHAPE_MAX_LENGTHS &&
               read_number(&sensor->shape.lengths[sensor->shape.lengths_count++], words[i],
                           UINT32_MAX);
    return good;
}

static bool read_runtime(struct firmware *firmware, char **words)
{
    return copy_fact(firmware->runtime, sizeof firmware->runtime, words[1]) &&
           copy_fact(firmware->runtime_version, FACT_MAX_CHARS, words[2]) &&
           copy_fact(firmware->kernels, FACT_MAX_CHARS, words[3]);
}

static bool read_firmware(struct firmware *firmware, char **words)
{
    return copy_fact(firmware->name, FACT_MAX_CHARS, words[1]) &&
           copy_fact(firmware->version, FACT_MAX_CHARS, words[2]);
}

static bool read_fact(struct firmware *firmware, char **words, size_t count)
{
    const char *fact = words[0];
    if (count == 2 && strcmp(fact, "board") == 0)
        return copy_fact(firmware->board, FACT_MAX_CHARS, words[1]);
    if (count == 3 && strcmp(fact, "firmware") == 0)
        return read_firmware(firmware, words);
    if (count == 2 && strcmp(fact, "slot_bytes") == 0)
        return read_number(&firmware->slot_bytes, words[1], SLOT_BYTES_MAX);
    if (count == 2 && strcmp(fact, "arena_budget_bytes") == 0)
        return read_number(&firmware->arena_budget_bytes, words[1], UINT32_MAX);
    if (count == 2 && strcmp(fact, "receive_buffer_bytes") == 0)
        return read_number(&firmware->receive_buffer_bytes, words[1], SLOT_BYTES_MAX);
    if (count == 4 && strcmp(fact, "runtime") == 0)
        return read_runtime(firmware, words);
    if (count == 3 && strcmp(fact, "operator") == 0)
        return add_operator(firmware, words);
    if (count == 2 && strcmp(fact, "dtype") == 0)
        return add_dtype(firmware, words);
    return count >= 3 && strcmp(fact, "sensor") == 0 && add_sensor(firmware, words, count);
}

static bool read_line(struct firmware *firmware, char *line)
{
    char *words[WORDS_MAX];
    size_t count = 0;
    for (char *word = strtok(line, " \t\r\n"); word != NULL; word = strtok(NULL, " \t\r\n")) {
        if (count == WORDS_MAX)
            return false;
        words[count++] = word;
    }
    return count == 0 || read_fact(firmware, words, count);
}

static bool is_complete(const struct firmware *firmware)
{
    return firmware->board[0] != '\0' && firmware->name[0] != '\0' && firmware->slot_bytes > 0 &&
           firmware->arena_budget_bytes > 0 && firmware->receive_buffer_bytes > 0 &&
           firmware->runtime[0] != '\0';
}

bool firmware_load(struct firmware *firmware, const char *path)
{
    char line[LINE_MAX_CHARS];
    unsigned number = 0;
    memset(firmware, 0, sizeof *firmware);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "firmware: %s: %s\n", path, strerror(errno));
        return false;
    }
    bool good = true;
    while (good && fgets(line, sizeof line, file) != NULL) {
        number++;
        good = read_line(firmware, line);
    }
    fclose(file);
    if (!good)
        fprintf(stderr, "firmware: %s: line %u is no fact that firmware.h names\n", path, number);
    else if (!is_complete(firmware))
        fprintf(stderr, "firmware: %s: board, firmware, a size or the runtime is missing\n", path);
    return good && is_complete(firmware);
}

uint32_t firmware_operator_version(const struct firmware *firmware, struct bytes name)
{
    for (size_t i = 0; i < firmware->operators_count; i++)
        if (bytes_are_text(name, firmware->operators[i].name))
            return firmware->operators[i].version;
    return 0;
}
