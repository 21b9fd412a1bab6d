/* What a device says about an order: a status and a code. */
#ifndef RESULT_H
#define RESULT_H

#include <stdbool.h>

enum result_code {
    CODE_OK, CODE_MALFORMED, CODE_BAD_SIGNATURE, CODE_UNKNOWN_KEY, CODE_WRONG_VENDOR,
    CODE_WRONG_CLASS, CODE_WRONG_DEVICE, CODE_OLD_SEQUENCE, CODE_EXPIRED, CODE_TOO_LARGE,
    CODE_ARENA_TOO_SMALL, CODE_MISSING_OPERATOR, CODE_WRONG_RUNTIME, CODE_WRONG_SHAPE,
    CODE_BAD_BLOCK, CODE_BAD_DIGEST, CODE_SELF_TEST_FAILED, CODE_FLASH_ERROR, CODE_REVERTED,
    CODE_MISSING_SIGNATURE,
    CODES
};

enum status {
    STATUS_NOTIFIED, STATUS_DOWNLOADING, STATUS_INSTALLING, STATUS_VERIFYING, STATUS_INSTALLED,
    STATUS_FAILED, STATUS_ROLLED_BACK, STATUS_REJECTED,
    STATUSES
};

const char *code_name(enum result_code code);
const char *status_name(enum status status);
/* A sentence for people, for the detail of a report. */
const char *code_sentence(enum result_code code);

#endif
