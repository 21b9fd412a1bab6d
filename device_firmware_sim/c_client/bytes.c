#include "bytes.h"

#include <stdio.h>
#include <string.h>

struct bytes bytes_of(const void *data, size_t size)
{
    struct bytes view = {data, size};
    return view;
}

struct bytes bytes_of_text(const char *text)
{
    return bytes_of(text, strlen(text));
}

bool bytes_equal(struct bytes one, struct bytes other)
{
    return one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

bool bytes_are_text(struct bytes one, const char *text)
{
    return bytes_equal(one, bytes_of_text(text));
}

void hex_write(char *out, struct bytes from)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < from.size; i++) {
        *out++ = digits[from.data[i] >> 4];
        *out++ = digits[from.data[i] & 15];
    }
    *out = '\0';
}

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

bool hex_read(uint8_t *out, size_t size, const char *text)
{
    for (size_t i = 0; i < size; i++) {
        int high = digit_value(text[2 * i]);
        int low = high < 0 ? -1 : digit_value(text[2 * i + 1]);
        if (low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void uuid_write(char *out, const uint8_t *uuid)
{
    static const size_t groups[] = {4, 2, 2, 2, 6};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        if (i > 0)
            *out++ = '-';
        hex_write(out, bytes_of(uuid, groups[i]));
        out += 2 * groups[i];
        uuid += groups[i];
    }
}

void big_endian_32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

uint32_t crc32_of(struct bytes of)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < of.size; i++) {
        crc ^= of.data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* Bytes that follow a first byte; -1: this byte starts nothing. */
static int utf8_tail(uint8_t first)
{
    if (first < 0x80)
        return 0;
    if (first >= 0xc2 && first <= 0xdf)
        return 1;
    if (first >= 0xe0 && first <= 0xef)
        return 2;
    return first >= 0xf0 && first <= 0xf4 ? 3 : -1;
}

/* The second byte excludes overlong forms, surrogates and what lies beyond U+10FFFF. */
static bool utf8_second_fits(uint8_t first, uint8_t second)
{
    uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return second >= least && second <= most;
}

bool utf8_is_valid(struct bytes text)
{
    size_t i = 0;
    while (i < text.size) {
        uint8_t first = text.data[i++];
        int tail = utf8_tail(first);
        if (tail < 0 || (size_t)tail > text.size - i)
            return false;
        if (tail > 0 && !utf8_second_fits(first, text.data[i]))
            return false;
        for (int k = 0; k < tail; k++)
            if ((text.data[i++] & 0xc0) != 0x80)
                return false;
    }
    return true;
}
