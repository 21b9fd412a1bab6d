#include "blocks.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARTIFACTS "tinyfleet/v1/artifacts/"

static uint32_t full_block_bytes(struct block_cut cut)
{
    return cut.exponent == 0 ? cut.size_bytes : (uint32_t)1 << cut.exponent;
}

uint32_t block_count(struct block_cut cut)
{
    uint32_t full = full_block_bytes(cut);
    return cut.size_bytes / full + (cut.size_bytes % full != 0);
}

uint32_t block_offset(struct block_cut cut, uint32_t number)
{
    return number * full_block_bytes(cut);
}

uint32_t block_bytes(struct block_cut cut, uint32_t number)
{
    uint32_t left = cut.size_bytes - block_offset(cut, number);
    return left < full_block_bytes(cut) ? left : full_block_bytes(cut);
}

bool block_cut_choose(struct block_cut *cut, uint32_t size_bytes, struct bytes exponents,
                      uint32_t receive_buffer_bytes)
{
    uint32_t best = 0;
    for (size_t i = 0; i < exponents.size; i++) {
        struct block_cut offered = {size_bytes, exponents.data[i]};
        uint32_t largest = block_bytes(offered, 0);
        if ((uint64_t)largest + CRC_BYTES + TOPIC_MAX_CHARS > receive_buffer_bytes ||
            largest <= best || block_count(offered) > BLOCKS_MAX)
            continue;
        best = largest;
        *cut = offered;
    }
    return best > 0;
}

bool block_read(struct block_cut cut, uint32_t number, struct bytes payload, struct bytes *block)
{
    uint8_t crc[CRC_BYTES];
    if (number >= block_count(cut) ||
        payload.size != (uint64_t)block_bytes(cut, number) + CRC_BYTES)
        return false;
    *block = bytes_of(payload.data, payload.size - CRC_BYTES);
    big_endian_32(crc, crc32_of(*block));
    return memcmp(crc, payload.data + block->size, CRC_BYTES) == 0;
}

/* A number without sign or leading zero, and the separator after it. */
static bool read_number(unsigned long *number, const char **at, char separator)
{
    char *end;
    if (!isdigit((unsigned char)**at) || (**at == '0' && isdigit((unsigned char)(*at)[1])))
        return false;
    errno = 0;
    *number = strtoul(*at, &end, 10);
    if (errno != 0 || *end != separator)
        return false;
    *at = end + 1;
    return true;
}

bool block_name_read(struct block_name *name, const char *topic)
{
    unsigned long exponent;
    unsigned long number;
    const char *at = topic + strlen(ARTIFACTS);
    if (strncmp(topic, ARTIFACTS, strlen(ARTIFACTS)) != 0 ||
        !hex_read(name->digest, DIGEST_BYTES, at))
        return false;
    at += 2 * DIGEST_BYTES;
    if (*at++ != '/' || !read_number(&exponent, &at, '/') || !read_number(&number, &at, '\0'))
        return false;
    name->exponent = (uint8_t)exponent;
    name->number = (uint32_t)number;
    return exponent <= BLOCK_EXPONENT_MOST && number <= UINT32_MAX;
}

void block_topic_write(char topic[TOPIC_MAX_CHARS], const struct block_name *name)
{
    char digest[2 * DIGEST_BYTES + 1];
    hex_write(digest, bytes_of(name->digest, DIGEST_BYTES));
    snprintf(topic, TOPIC_MAX_CHARS, ARTIFACTS "%s/%u/%lu", digest, (unsigned)name->exponent,
             (unsigned long)name->number);
}
