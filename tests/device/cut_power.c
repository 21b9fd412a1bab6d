/* Preloaded into a device: the power goes in the Nth step of writing to its flash.
 *
 * A step is a write (half of whose bytes get through), a sync or a rename; N is CUT_AT_STEP. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int goes_now(void)
{
    static long steps;
    const char *at = getenv("CUT_AT_STEP");
    return at != NULL && ++steps == strtol(at, NULL, 10);
}

static void cut(void)
{
    kill(getpid(), SIGKILL);
}

/* Files and folders, not sockets and pipes. */
static int is_flash(int file)
{
    struct stat status;
    return fstat(file, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
}

ssize_t write(int file, const void *data, size_t size)
{
    ssize_t (*next)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    if (is_flash(file) && goes_now()) {
        next(file, data, size / 2);
        cut();
    }
    return next(file, data, size);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t offset)
{
    ssize_t (*next)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
    if (is_flash(file) && goes_now()) {
        next(file, data, size / 2, offset);
        cut();
    }
    return next(file, data, size, offset);
}

int fsync(int file)
{
    int (*next)(int) = dlsym(RTLD_NEXT, "fsync");
    if (is_flash(file) && goes_now())
        cut();
    return next(file);
}

int rename(const char *from, const char *to)
{
    int (*next)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    if (goes_now())
        cut();
    return next(from, to);
}
