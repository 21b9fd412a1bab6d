#include "durable_file.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "limits.h"

static bool write_all(int file, struct bytes content)
{
    while (content.size > 0) {
        ssize_t written = write(file, content.data, content.size);
        if (written <= 0)
            return false;
        content = bytes_of(content.data + written, content.size - (size_t)written);
    }
    return true;
}

/* After this the file of that name is durable too, not only its content. */
static bool sync_directory_of(const char *path)
{
    char copy[PATH_MAX_CHARS];
    if ((size_t)snprintf(copy, sizeof copy, "%s", path) >= sizeof copy)
        return false;
    int directory = open(dirname(copy), O_RDONLY);
    if (directory < 0)
        return false;
    bool good = fsync(directory) == 0;
    close(directory);
    return good;
}

static bool write_and_sync(const char *path, struct bytes content)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0)
        return false;
    bool good = write_all(file, content) && fsync(file) == 0;
    return close(file) == 0 && good;
}

bool file_replace(const char *path, struct bytes content)
{
    char temporary[PATH_MAX_CHARS];
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.new", path) >= sizeof temporary)
        return false;
    return write_and_sync(temporary, content) && rename(temporary, path) == 0 &&
           sync_directory_of(path);
}

long file_read(const char *path, uint8_t *content, size_t room)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return -1;
    size_t size = fread(content, 1, room, file);
    bool good = !ferror(file) && fgetc(file) == EOF;
    fclose(file);
    return good ? (long)size : -1;
}

bool file_path(char *path, size_t room, const char *directory, const char *name)
{
    int size = snprintf(path, room, "%s/%s", directory, name);
    return size > 0 && (size_t)size < room;
}
