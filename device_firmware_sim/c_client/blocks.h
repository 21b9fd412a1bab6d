/* The blocks in which an artifact lies on the broker. */
#ifndef BLOCKS_H
#define BLOCKS_H

#include "bytes.h"
#include "limits.h"

#define CRC_BYTES 4

/* How an artifact of `size_bytes` is cut: exponent 0 is the whole file as block 0. */
struct block_cut {
    uint32_t size_bytes;
    uint8_t exponent;
};

uint32_t block_count(struct block_cut cut);
uint32_t block_offset(struct block_cut cut, uint32_t number);
uint32_t block_bytes(struct block_cut cut, uint32_t number);

/* The largest offered block whose message fits the receive buffer; false: none does. */
bool block_cut_choose(struct block_cut *cut, uint32_t size_bytes, struct bytes exponents,
                      uint32_t receive_buffer_bytes);

/* The block's bytes inside a payload; false where its length or its CRC-32 is wrong. */
bool block_read(struct block_cut cut, uint32_t number, struct bytes payload, struct bytes *block);

struct block_name {
    uint8_t digest[DIGEST_BYTES];
    uint8_t exponent;
    uint32_t number;
};

/* tinyfleet/v1/artifacts/{sha256}/{n}/{block}; false: the topic is none of a block. */
bool block_name_read(struct block_name *name, const char *topic);
void block_topic_write(char topic[TOPIC_MAX_CHARS], const struct block_name *name);

#endif
