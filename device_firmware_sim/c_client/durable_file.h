/* Flash as files: written whole or not at all, wherever the power is cut. */
#ifndef DURABLE_FILE_H
#define DURABLE_FILE_H

#include "bytes.h"

/* Puts the bytes into a temporary file, syncs it and renames it over `path`. */
bool file_replace(const char *path, struct bytes content);
/* Bytes read into `content`, which has `room`; negative: no such file, or it is longer. */
long file_read(const char *path, uint8_t *content, size_t room);
/* The name of a file in a directory; false where it would be too long. */
bool file_path(char *path, size_t room, const char *directory, const char *name);

#endif
