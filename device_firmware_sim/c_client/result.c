#include "result.h"

static const struct {
    const char *name;
    const char *sentence;
} codes[CODES] = {
    [CODE_OK] = {"ok", ""},
    [CODE_MALFORMED] = {"malformed", "not as the protocol says"},
    [CODE_BAD_SIGNATURE] = {"bad_signature", "not signed, or the signature does not verify"},
    [CODE_UNKNOWN_KEY] = {"unknown_key", "signed by no key of the trust store"},
    [CODE_WRONG_VENDOR] = {"wrong_vendor", "for another vendor"},
    [CODE_WRONG_CLASS] = {"wrong_class", "for another board type"},
    [CODE_WRONG_DEVICE] = {"wrong_device", "for another device"},
    [CODE_OLD_SEQUENCE] = {"old_sequence", "not newer than what was accepted before"},
    [CODE_EXPIRED] = {"expired", "past its expiry"},
    [CODE_TOO_LARGE] = {"too_large", "larger than the slot or the receive buffer"},
    [CODE_ARENA_TOO_SMALL] = {"arena_too_small", "needs more memory than the arena has"},
    [CODE_MISSING_OPERATOR] = {"missing_operator", "an operator is not linked, or too old"},
    [CODE_WRONG_RUNTIME] = {"wrong_runtime", "for another interpreter"},
    [CODE_WRONG_SHAPE] = {"wrong_shape", "input or output is not what the manifest says"},
    [CODE_BAD_BLOCK] = {"bad_block", "blocks stayed bad however often they were asked for"},
    [CODE_BAD_DIGEST] = {"bad_digest", "the slot does not hold the artifact"},
    [CODE_SELF_TEST_FAILED] = {"self_test_failed", "the network computes something else here"},
    [CODE_FLASH_ERROR] = {"flash_error", "flash could not be written or read"},
    [CODE_REVERTED] = {"reverted", "went back to the network before"},
    [CODE_MISSING_SIGNATURE] = {"missing_signature", "not signed by each role that must"},
};

static const char *const statuses[STATUSES] = {
    [STATUS_NOTIFIED] = "notified",
    [STATUS_DOWNLOADING] = "downloading",
    [STATUS_INSTALLING] = "installing",
    [STATUS_VERIFYING] = "verifying",
    [STATUS_INSTALLED] = "installed",
    [STATUS_FAILED] = "failed",
    [STATUS_ROLLED_BACK] = "rolled_back",
    [STATUS_REJECTED] = "rejected",
};

const char *code_name(enum result_code code)
{
    return codes[code].name;
}

const char *code_sentence(enum result_code code)
{
    return codes[code].sentence;
}

const char *status_name(enum status status)
{
    return statuses[status];
}
