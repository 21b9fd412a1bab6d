#include "fetch.h"

#include <stdio.h>
#include <string.h>

#define FIRST_WAIT_MS 5000
#define LONGEST_WAIT_MS 60000

static void block_topic(char topic[TOPIC_MAX_CHARS], const struct device *device, uint32_t number)
{
    struct block_name name;
    memcpy(name.digest, device->download.digest, DIGEST_BYTES);
    name.exponent = device->download.cut.exponent;
    name.number = number;
    block_topic_write(topic, &name);
}

static void ask_for(struct device *device, uint32_t number)
{
    char topic[TOPIC_MAX_CHARS];
    block_topic(topic, device, number);
    link_subscribe(&device->link, topic);
}

static void leave(struct device *device, uint32_t number)
{
    char topic[TOPIC_MAX_CHARS];
    block_topic(topic, device, number);
    link_unsubscribe(&device->link, topic);
}

static void leave_window(struct device *device)
{
    for (size_t i = 0; i < device->window.count; i++)
        leave(device, device->window.numbers[i]);
    device->window.count = 0;
}

static void wait_anew(struct window *window, uint64_t wait_ms)
{
    window->wait_ms = wait_ms < LONGEST_WAIT_MS ? wait_ms : LONGEST_WAIT_MS;
    window->asks_again_at = monotonic_ms() + window->wait_ms;
}

static void open_window(struct device *device)
{
    struct window *window = &device->window;
    uint32_t count = block_count(device->download.cut);
    leave_window(device);
    for (uint32_t number = 0; number < count && window->count < WINDOW_BLOCKS; number++)
        if (!download_has(&device->download, number))
            window->numbers[window->count++] = number;
    for (size_t i = 0; i < window->count; i++)
        ask_for(device, window->numbers[i]);
}

static bool window_is_served(const struct device *device)
{
    for (size_t i = 0; i < device->window.count; i++)
        if (!download_has(&device->download, device->window.numbers[i]))
            return false;
    return true;
}

enum result_code fetch_begin(struct device *device)
{
    const struct manifest *manifest = &device->manifest;
    struct download *download = &device->download;
    if (!block_cut_choose(&download->cut, manifest->size_bytes, manifest->block_exponents,
                          device->firmware.receive_buffer_bytes))
        return CODE_TOO_LARGE;
    download->order = device->record.under_way;
    download->slot = device_inactive_slot(device);
    memcpy(download->digest, manifest->digest.data, DIGEST_BYTES);
    memset(&device->window, 0, sizeof device->window);
    device->is_fetching = download_open(download, &device->flash);
    return device->is_fetching ? CODE_OK : CODE_FLASH_ERROR;
}

void fetch_forget_window(struct device *device)
{
    device->window.count = 0;
}

void fetch_step(struct device *device)
{
    struct window *window = &device->window;
    if (window_is_served(device)) {
        device_say_report(device, &device->record.under_way, STATUS_DOWNLOADING, CODE_OK);
        open_window(device);
        wait_anew(window, FIRST_WAIT_MS);
    } else if (monotonic_ms() >= window->asks_again_at) {
        open_window(device);
        wait_anew(window, 2 * window->wait_ms);
    }
}

static bool is_wanted(const struct device *device, const struct block_name *name)
{
    const struct download *download = &device->download;
    return device->is_fetching && memcmp(name->digest, download->digest, DIGEST_BYTES) == 0 &&
           name->exponent == download->cut.exponent && name->number < block_count(download->cut) &&
           !download_has(download, name->number);
}

static void log_block(const struct device *device, uint32_t number)
{
    char text[16];
    snprintf(text, sizeof text, "%lu", (unsigned long)number);
    device_log(device, "block", text);
}

enum result_code fetch_take(struct device *device, const char *topic, struct bytes payload)
{
    struct block_name name;
    struct bytes block;
    if (!block_name_read(&name, topic) || !is_wanted(device, &name))
        return CODE_OK;
    if (!block_read(device->download.cut, name.number, payload, &block)) {
        leave(device, name.number);
        ask_for(device, name.number);
        return ++device->window.bad_blocks >= BAD_BLOCKS_MAX ? CODE_BAD_BLOCK : CODE_OK;
    }
    if (!download_store(&device->download, &device->flash, name.number, block))
        return CODE_FLASH_ERROR;
    device->window.bad_blocks = 0;
    wait_anew(&device->window, FIRST_WAIT_MS);
    log_block(device, name.number);
    power_may_go(device, "block");
    return CODE_OK;
}

void fetch_stop(struct device *device)
{
    leave_window(device);
    device->is_fetching = false;
}
