/* Taking an update: from a signed envelope to a committed network, or to a report why not. */
#ifndef UPDATE_H
#define UPDATE_H

#include "device.h"

/* At start: goes back to the other slot where the active one does not hold what it should. */
void update_check_boot(struct device *device);
/* Follows the newest `desired`, if one waits, and carries the order under way on. */
void update_step(struct device *device);
void update_take_block(struct device *device, const char *topic, struct bytes payload);

#endif
