#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"

static const char usage[] =
    "usage: tinyfleet-client --device ID --state DIR --trust DIR --firmware FILE\n"
    "         --runtime COMMAND --enrol-password-file FILE [--token TOKEN]\n"
    "         [--broker HOST] [--port N] [--ca FILE [--enrol-port N]]\n"
    "         [--no-clock] [--cut-at accepted|block|installing|verifying|committed]\n"
    "         [--cut-count N]\n";

enum { OPTION_NO_CLOCK = 'n', OPTION_COUNT = 'N', OPTION_PORT = 'p', OPTION_ENROL_PORT = 'P' };

static const struct option long_options[] = {
    {"broker", required_argument, NULL, 'b'},
    {"port", required_argument, NULL, OPTION_PORT},
    {"device", required_argument, NULL, 'd'},
    {"state", required_argument, NULL, 's'},
    {"trust", required_argument, NULL, 't'},
    {"firmware", required_argument, NULL, 'f'},
    {"runtime", required_argument, NULL, 'r'},
    {"enrol-password-file", required_argument, NULL, 'e'},
    {"token", required_argument, NULL, 'k'},
    {"ca", required_argument, NULL, 'c'},
    {"enrol-port", required_argument, NULL, OPTION_ENROL_PORT},
    {"no-clock", no_argument, NULL, OPTION_NO_CLOCK},
    {"cut-at", required_argument, NULL, 'x'},
    {"cut-count", required_argument, NULL, OPTION_COUNT},
    {NULL, 0, NULL, 0},
};

/* Where the text of an option goes; NULL: it is none that has a text. */
static const char **place_of(struct options *options, int option)
{
    switch (option) {
    case 'b': return &options->broker;
    case 'd': return &options->device;
    case 's': return &options->state;
    case 't': return &options->trust;
    case 'f': return &options->firmware;
    case 'r': return &options->runtime;
    case 'e': return &options->enrol_password_file;
    case 'k': return &options->token;
    case 'c': return &options->ca;
    case 'x': return &options->cut_at;
    default: return NULL;
    }
}

static bool take(struct options *options, int option, const char *value)
{
    const char **place = place_of(options, option);
    if (place != NULL)
        *place = value;
    else if (option == OPTION_PORT)
        options->port = (int)strtol(value, NULL, 10);
    else if (option == OPTION_ENROL_PORT)
        options->enrol_port = (int)strtol(value, NULL, 10);
    else if (option == OPTION_COUNT)
        options->cut_count = (unsigned)strtoul(value, NULL, 10);
    else if (option == OPTION_NO_CLOCK)
        options->no_clock = true;
    else
        return false;
    return true;
}

static bool is_taken(const char *id)
{
    static const char *const taken[] = {"enrol", "artifacts", "gateway", "tinyfleet-gateway",
                                        "tinyfleet-access", "tinyfleet-entrance"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(id, taken[i]) == 0)
            return true;
    return strncmp(id, "enrol-", 6) == 0;
}

static bool is_device_id(const char *id)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t size = strlen(id);
    return size >= 1 && size <= DEVICE_ID_MAX_CHARS && id[0] != '-' &&
           strspn(id, allowed) == size && !is_taken(id);
}

/* The secret crosses the network at sign-in: without TLS it may only do so inside this machine. */
static bool is_confidential(const struct options *options)
{
    const char *host = options->broker;
    bool is_loopback = strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
                       strncmp(host, "127.", 4) == 0;
    if (options->ca == NULL && !is_loopback)
        fputs("--ca is needed: outside the loopback interface it must be TLS\n", stderr);
    return options->ca != NULL || is_loopback;
}

static bool is_port(int port)
{
    return port >= 1 && port <= 65535;
}

static bool are_complete(const struct options *options)
{
    return options->device != NULL && is_device_id(options->device) && options->state != NULL &&
           options->trust != NULL && options->firmware != NULL && options->runtime != NULL &&
           options->enrol_password_file != NULL && is_port(options->port) &&
           is_port(options->enrol_port) &&
           strlen(options->token) >= 1 && strlen(options->token) <= TOKEN_MAX_CHARS;
}

bool options_read(struct options *options, int argc, char **argv)
{
    int option;
    bool good = true;
    memset(options, 0, sizeof *options);
    options->broker = "127.0.0.1";
    options->enrol_port = 8884;
    options->token = "none";
    while (good && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        good = take(options, option, optarg);
    if (options->port == 0)
        options->port = options->ca == NULL ? 1883 : 8883;
    good = good && optind == argc && are_complete(options) && is_confidential(options);
    if (!good)
        fputs(usage, stderr);
    return good;
}
