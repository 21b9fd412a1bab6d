/* The command line of tinyfleet-client. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

struct options {
    const char *broker;
    int port;
    const char *device;
    const char *state;
    const char *trust;
    const char *firmware;
    const char *runtime;
    const char *enrol_password_file;
    const char *token;
    const char *ca;
    int enrol_port;
    const char *cut_at;
    unsigned cut_count;
    bool no_clock;
};

/* False, with a line on stderr, where an option is missing or none of these. */
bool options_read(struct options *options, int argc, char **argv);

#endif
