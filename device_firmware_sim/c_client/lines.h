/* Lines of hex on stdin, each the bytes of a message: how tests hand them to tinyfleet-check. */
#ifndef LINES_H
#define LINES_H

#include "bytes.h"

#define LINE_BYTES_MAX 65536

/* Does something with each line's bytes, in a copy of exactly that size, so that a sanitizer sees a
 * step beyond its end. 0, or 1 where there is no memory. */
int for_each_line(void (*use)(struct bytes bytes, void *with), void *with);
void print_hex(struct bytes bytes);

#endif
