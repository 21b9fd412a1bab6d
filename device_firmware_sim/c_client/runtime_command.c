#include "runtime_command.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_NO_NETWORK = 3, EXIT_ARENA = 4, EXIT_OPERATOR = 5, EXIT_UNKNOWN = 127 };

/* In a process group of its own: a Ctrl-C ends the device in good order, not its self-test. */
static void become(const struct runtime_command *command, int output)
{
    setpgid(0, 0);
    dup2(output, STDOUT_FILENO);
    close(output);
    execvp(command->argv[0], (char *const *)(uintptr_t)command->argv);
    _exit(EXIT_UNKNOWN);
}

static pid_t start(const struct runtime_command *command, int *output)
{
    int ends[2];
    if (pipe(ends) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        become(command, ends[1]);
    }
    close(ends[1]);
    *output = ends[0];
    if (child < 0)
        close(ends[0]);
    return child;
}

static bool has_more(int output, time_t deadline)
{
    struct pollfd wanted = {output, POLLIN, 0};
    int ready = -1;
    time_t left = deadline - time(NULL);
    while (left > 0 && (ready = poll(&wanted, 1, (int)left * 1000)) < 0 && errno == EINTR)
        left = deadline - time(NULL);
    return ready > 0;
}

/* Reads until the end; what does not fit is counted in *size but not kept. False: out of time. */
static bool read_output(int output, uint8_t *into, size_t room, size_t *size)
{
    uint8_t piece[512];
    time_t deadline = time(NULL) + RUNTIME_SECONDS_MAX;
    *size = 0;
    while (has_more(output, deadline)) {
        ssize_t got = read(output, piece, sizeof piece);
        if (got <= 0)
            return got == 0;
        size_t fits = *size < room ? room - *size : 0;
        memcpy(into + (fits > 0 ? *size : 0), piece, fits < (size_t)got ? fits : (size_t)got);
        *size += (size_t)got;
    }
    return false;
}

/* Runs the command with three more words. Its exit status, and what it printed. */
static int call(struct runtime_command *command, const char *verb, const char *first,
                const char *second, uint8_t *into, size_t room, size_t *size)
{
    int output = -1;
    int status = 0;
    const char **words = command->argv + command->argv_count;
    words[0] = verb;
    words[1] = first;
    words[2] = second;
    words[3] = NULL;
    pid_t child = start(command, &output);
    if (child < 0)
        return EXIT_UNKNOWN;
    if (!read_output(output, into, room, size))
        kill(child, SIGKILL);
    close(output);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_UNKNOWN;
}

static bool read_dtype(enum dtype *dtype, const char *word)
{
    static const char *const names[] = {"int8", "uint8", "float32"};
    for (int i = 0; word != NULL && i < 3; i++)
        if (strcmp(word, names[i]) == 0) {
            *dtype = (enum dtype)i;
            return true;
        }
    return false;
}

/* `input int8 1 8 8 1`: advances *text past the line. */
static bool read_tensor(char **text, const char *kind, enum dtype *dtype, struct shape *shape)
{
    char *line = *text;
    size_t end = strcspn(line, "\n");
    *text = line + end + (line[end] == '\n');
    line[end] = '\0';
    char *word = strtok(line, " ");
    if (word == NULL || strcmp(word, kind) != 0 || !read_dtype(dtype, strtok(NULL, " ")))
        return false;
    shape->lengths_count = 0;
    while ((word = strtok(NULL, " ")) != NULL) {
        if (shape->lengths_count == SHAPE_MAX_LENGTHS)
            return false;
        shape->lengths[shape->lengths_count++] = (uint32_t)strtoul(word, NULL, 10);
    }
    return true;
}

static enum result_code load(struct runtime *runtime, const char *slot_path,
                             struct network *network)
{
    struct runtime_command *command = (struct runtime_command *)runtime;
    char budget[16];
    char text[512];
    size_t size;
    enum dtype output_dtype;
    snprintf(budget, sizeof budget, "%lu", (unsigned long)command->arena_budget_bytes);
    switch (call(command, "load", slot_path, budget, (uint8_t *)text, sizeof text - 1, &size)) {
    case 0: break;
    case EXIT_NO_NETWORK: return CODE_MALFORMED;
    case EXIT_ARENA: return CODE_ARENA_TOO_SMALL;
    case EXIT_OPERATOR: return CODE_MISSING_OPERATOR;
    default: return CODE_SELF_TEST_FAILED;
    }
    text[size < sizeof text ? size : sizeof text - 1] = '\0';
    char *at = text;
    bool good = read_tensor(&at, "input", &network->input_dtype, &network->input_shape) &&
                read_tensor(&at, "output", &output_dtype, &network->output_shape);
    return good ? CODE_OK : CODE_SELF_TEST_FAILED;
}

static bool run(struct runtime *runtime, const char *slot_path, const char *input_path,
                uint8_t *output, size_t *size)
{
    struct runtime_command *command = (struct runtime_command *)runtime;
    return call(command, "run", slot_path, input_path, output, *size, size) == 0;
}

bool runtime_command_open(struct runtime_command *command, const char *line,
                          uint32_t arena_budget_bytes)
{
    memset(command, 0, sizeof *command);
    command->runtime.load = load;
    command->runtime.run = run;
    command->arena_budget_bytes = arena_budget_bytes;
    size_t size = strlen(line);
    if (size >= sizeof command->words)
        return false;
    memcpy(command->words, line, size);
    for (char *word = strtok(command->words, " "); word != NULL; word = strtok(NULL, " ")) {
        if (command->argv_count == RUNTIME_WORDS_MAX)
            return false;
        command->argv[command->argv_count++] = word;
    }
    return command->argv_count > 0;
}
