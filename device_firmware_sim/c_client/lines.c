#include "lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bytes of the next line of hex; false: there is none. */
static bool read_line(uint8_t *bytes, size_t *size)
{
    static char line[2 * LINE_BYTES_MAX + 2];
    if (fgets(line, sizeof line, stdin) == NULL)
        return false;
    *size = strcspn(line, "\n") / 2;
    return hex_read(bytes, *size, line);
}

int for_each_line(void (*use)(struct bytes bytes, void *with), void *with)
{
    static uint8_t bytes[LINE_BYTES_MAX];
    size_t size;
    while (read_line(bytes, &size)) {
        uint8_t *exact = malloc(size > 0 ? size : 1);
        if (exact == NULL)
            return 1;
        memcpy(exact, bytes, size);
        use(bytes_of(exact, size), with);
        free(exact);
    }
    return 0;
}

void print_hex(struct bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        printf("%02x", bytes.data[i]);
}
