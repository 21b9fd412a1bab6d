/* tinyfleet-client: a device for TinyFleet, written from docs/mqtt-protocol.md alone. */
#include <mosquitto.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "durable_file.h"
#include "membership.h"
#include "options.h"
#include "session.h"
#include "update.h"

#define PASSWORD_MAX_CHARS 256
#define FIRST_WAIT_S 1
#define LONGEST_WAIT_S 60

static volatile sig_atomic_t stop_asked;
static struct device the_device;

static void ask_to_stop(int signal_number)
{
    (void)signal_number;
    stop_asked = 1;
}

static void listen_for_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = ask_to_stop;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

/* A line of a file, without its end. */
static bool read_password(char password[PASSWORD_MAX_CHARS], const char *path)
{
    long size = file_read(path, (uint8_t *)password, PASSWORD_MAX_CHARS - 1);
    if (size < 0) {
        fprintf(stderr, "password: %s cannot be read\n", path);
        return false;
    }
    password[size] = '\0';
    password[strcspn(password, "\r\n")] = '\0';
    return true;
}

/* One start more: counts it, and makes sure that what runs is what should. */
static bool boot(struct device *device)
{
    char path[PATH_MAX_CHARS];
    if (!file_path(path, sizeof path, device->flash.directory, "boot_record") ||
        !boot_record_load(&device->record, path)) {
        fprintf(stderr, "boot record: %s is damaged\n", device->flash.directory);
        return false;
    }
    device->record.boot++;
    update_check_boot(device);
    struct boot_record next = device->record;
    return device_replace_record(device, &next);
}

static bool make_device(struct device *device, const struct options *options)
{
    device->id = options->device;
    device->has_clock = !options->no_clock;
    device->cut_at = options->cut_at;
    device->cut_count = options->cut_count;
    if (!firmware_load(&device->firmware, options->firmware) ||
        !trust_load(&device->trust, options->trust) ||
        !identity_load(&device->identity, options->state) ||
        !runtime_command_open(&device->runtime, options->runtime,
                              device->firmware.arena_budget_bytes))
        return false;
    device->flash.directory = options->state;
    device->flash.slot_bytes = device->firmware.slot_bytes;
    return boot(device);
}

static void wait_seconds(unsigned seconds)
{
    uint64_t until = monotonic_ms() + seconds * 1000u;
    struct timespec nap = {0, 100000000};
    while (!stop_asked && monotonic_ms() < until)
        nanosleep(&nap, NULL);
}

static void log_end(const struct device *device, enum session_end end)
{
    if (end == SESSION_LOST)
        device_log(device, "lost", "no connection to the broker");
    if (end == SESSION_REFUSED)
        device_log(device, "refused", "the broker does not know the account");
    if (end == SESSION_RENEWS)
        device_log(device, "renews", "its certificate");
}

/* Joins where it has to, serves, and comes back after ever longer waits where it is cut off. */
static void live(struct device *device, struct surroundings *surroundings)
{
    unsigned wait_s = FIRST_WAIT_S;
    struct membership membership = {false, 0};
    while (!stop_asked) {
        bool joins = membership_joins(&membership, device, surroundings);
        uint64_t since = monotonic_ms();
        enum session_end end = joins ? session_join(device, surroundings)
                                     : session_serve(device, surroundings);
        log_end(device, end);
        membership_note(&membership, device, surroundings, joins, end);
        if (end == SESSION_ACCEPTED || monotonic_ms() - since > LONGEST_WAIT_S * 1000u)
            wait_s = FIRST_WAIT_S;
        if (end == SESSION_LOST || end == SESSION_REFUSED) {
            wait_seconds(wait_s);
            wait_s = 2 * wait_s < LONGEST_WAIT_S ? 2 * wait_s : LONGEST_WAIT_S;
        }
    }
}

int main(int argc, char **argv)
{
    struct options options;
    char password[PASSWORD_MAX_CHARS];
    char certificate[PATH_MAX_CHARS];
    char key[PATH_MAX_CHARS];
    if (!options_read(&options, argc, argv) ||
        !read_password(password, options.enrol_password_file) ||
        !file_path(certificate, sizeof certificate, options.state, "certificate.pem") ||
        !file_path(key, sizeof key, options.state, "key.pem"))
        return 2;
    listen_for_signals();
    mosquitto_lib_init();
    bool made = make_device(&the_device, &options);
    if (made) {
        struct surroundings surroundings = {
            {options.broker, options.port, options.enrol_port, options.ca, certificate, key},
            options.token,
            password,
            &stop_asked,
            0,
            0,
        };
        live(&the_device, &surroundings);
        device_log(&the_device, "stopped", "in good order");
    }
    identity_free(&the_device.identity);
    trust_free(&the_device.trust);
    mosquitto_lib_cleanup();
    return made ? 0 : 1;
}
