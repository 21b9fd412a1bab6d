/* Getting the blocks of the order under way, a window at a time. */
#ifndef FETCH_H
#define FETCH_H

#include "device.h"

/* Opens the download of the device's manifest. CODE_OK, CODE_TOO_LARGE or CODE_FLASH_ERROR. */
enum result_code fetch_begin(struct device *device);
/* After a new connection: nothing is subscribed to any more. */
void fetch_forget_window(struct device *device);
/* Asks for the next window, or for this one again where nothing has come for long. */
void fetch_step(struct device *device);
/* Takes a block. CODE_OK also where it was not wanted; CODE_BAD_BLOCK: too many were bad. */
enum result_code fetch_take(struct device *device, const char *topic, struct bytes payload);
void fetch_stop(struct device *device);

#endif
