/* An artifact on its way into the inactive slot: which blocks are there, noted in flash. */
#ifndef DOWNLOAD_H
#define DOWNLOAD_H

#include "blocks.h"
#include "slots.h"

struct download {
    struct order order; /* a note of another order says nothing about the slot */
    uint8_t digest[DIGEST_BYTES];
    struct block_cut cut;
    uint8_t slot;
    uint32_t have_count;
    uint8_t have[BLOCKS_MAX / 8];
};

/* Goes on from the note in flash where it is of this very order and cut; else erases the slot and
 * begins. False: flash cannot be written. `order`, `digest`, `cut` and `slot` are set before. */
bool download_open(struct download *download, const struct flash *flash);
/* Writes the block and then the note. */
bool download_store(struct download *download, const struct flash *flash, uint32_t number,
                    struct bytes block);
bool download_has(const struct download *download, uint32_t number);
bool download_is_complete(const struct download *download);
double download_progress(const struct download *download);

#endif
