/* tinyfleet-check: what a client computes, without a broker, for tests against golden bytes.
 *
 *   envelopes TRUST FIRMWARE DEVICE FLOOR NOW   a line of hex each: its code, and its values
 *   block SIZE EXPONENT NUMBER                  payloads in hex: `ok` and the block, or `bad_block`
 *   self-test-input SEED COUNT DTYPE            the generated elements in hex
 *   proof DEVICE TOKEN VERIFIER                 the public key's PEM comes in: the proof in hex
 *   verifier SECRET SALT                        the verifier
 *   topic TOPIC                                 digest, exponent and number of a block's topic
 *   messages                                    a report, an online and a state as JSON
 *   operators                                   the name of each operator code
 *   inbound KIND                                payloads (or topics) in hex: what is read of each;
 *                                               KIND: enrolment-result, acked or topic
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acceptance.h"
#include "blocks.h"
#include "enrolment.h"
#include "envelope.h"
#include "json.h"
#include "lines.h"
#include "messages.h"
#include "operators.h"
#include "self_test.h"

static void print_shape(const char *name, const struct shape *shape)
{
    printf(" %s=", name);
    for (size_t i = 0; i < shape->lengths_count; i++)
        printf("%s%" PRIu32, i > 0 ? "," : "", shape->lengths[i]);
}

static void print_bytes(const char *name, struct bytes bytes)
{
    printf(" %s=", name);
    print_hex(bytes);
}

static void print_operators(const struct manifest *manifest)
{
    uint64_t count;
    struct bytes previous = {NULL, 0};
    struct cbor in = operators_open(manifest, &count);
    printf(" operators=");
    for (uint64_t i = 0; i < count; i++) {
        struct operator_need need = operators_next(&in, &previous);
        printf("%s%.*s/%" PRIu64, i > 0 ? "," : "", (int)need.name.size,
               (const char *)need.name.data, need.version);
    }
}

static void print_self_test(const struct manifest *manifest)
{
    if (!manifest->has_self_test)
        return;
    printf(" generator=%.*s seed=%" PRIu32, (int)manifest->self_test.generator.size,
           (const char *)manifest->self_test.generator.data, manifest->self_test.seed);
    print_bytes("expected", manifest->self_test.expected);
    printf(" tolerance=%" PRIu32, manifest->self_test.tolerance);
}

static void print_manifest(const struct manifest *manifest)
{
    printf(" sequence=%" PRIu64 " issued_at=%" PRIu64 " expires_at=%" PRIu64 " size=%" PRIu32,
           manifest->sequence, manifest->issued_at, manifest->expires_at, manifest->size_bytes);
    print_bytes("vendor_id", manifest->vendor_id);
    print_bytes("class_id", manifest->class_id);
    print_bytes("deployment", manifest->deployment);
    print_bytes("digest", manifest->digest);
    print_bytes("block_exponents", manifest->block_exponents);
    printf(" device_id=%.*s runtime=%.*s", (int)manifest->device_id.size,
           (const char *)manifest->device_id.data, (int)manifest->runtime.size,
           (const char *)manifest->runtime.data);
    if (manifest->has_arena_bytes)
        printf(" arena_bytes=%" PRIu64, manifest->arena_bytes);
    print_shape("input_shape", &manifest->input_shape);
    print_shape("output_shape", &manifest->output_shape);
    print_operators(manifest);
    print_self_test(manifest);
}

static void judge_envelope(struct bytes envelope, const struct trust *trust,
                           const struct circumstances *circumstances)
{
    struct bytes bytes;
    struct manifest manifest;
    enum result_code code = envelope_verify(envelope, trust, &bytes);
    if (code == CODE_OK)
        code = manifest_read(bytes, &manifest);
    if (code == CODE_OK)
        code = accept_manifest(&manifest, circumstances);
    printf("%s", code_name(code));
    if (code == CODE_OK)
        print_manifest(&manifest);
    printf("\n");
}

struct judge {
    struct trust trust;
    struct circumstances circumstances;
};

static void use_envelope(struct bytes bytes, void *with)
{
    const struct judge *judge = with;
    judge_envelope(bytes, &judge->trust, &judge->circumstances);
}

static int check_envelopes(char **words)
{
    static struct firmware firmware;
    struct judge judge;
    if (!trust_load(&judge.trust, words[0]) || !firmware_load(&firmware, words[1]))
        return 1;
    struct circumstances circumstances = {
        words[2], &firmware, strtoull(words[3], NULL, 10), 0, true, strtoull(words[4], NULL, 10)};
    judge.circumstances = circumstances;
    int failed = for_each_line(use_envelope, &judge);
    trust_free(&judge.trust);
    return failed;
}

struct wanted_block {
    struct block_cut cut;
    uint32_t number;
};

static void use_block(struct bytes bytes, void *with)
{
    struct bytes block;
    const struct wanted_block *wanted = with;
    if (block_read(wanted->cut, wanted->number, bytes, &block)) {
        printf("ok ");
        print_hex(block);
        printf("\n");
    } else {
        printf("bad_block\n");
    }
}

static int check_block(char **words)
{
    struct wanted_block wanted = {
        {(uint32_t)strtoul(words[0], NULL, 10), (uint8_t)strtoul(words[1], NULL, 10)},
        (uint32_t)strtoul(words[2], NULL, 10)};
    return for_each_line(use_block, &wanted);
}

static void use_enrolment_result(struct bytes bytes, void *with)
{
    struct enrolment_result result;
    (void)with;
    if (!json_read_enrolment_result(&result, bytes))
        puts("none");
    else if (strcmp(result.answer, "accepted") == 0 || strcmp(result.answer, "rejected") == 0 ||
             strcmp(result.answer, "pending") == 0)
        puts(result.answer);
    else
        puts("other");
}

static void use_acked(struct bytes bytes, void *with)
{
    uint64_t boot, sequence;
    (void)with;
    if (json_read_acked(&boot, &sequence, bytes))
        printf("%" PRIu64 " %" PRIu64 "\n", boot, sequence);
    else
        puts("none");
}

static void use_topic(struct bytes bytes, void *with)
{
    char topic[LINE_BYTES_MAX + 1];
    struct block_name name;
    (void)with;
    memcpy(topic, bytes.data, bytes.size);
    topic[bytes.size] = '\0';
    puts(block_name_read(&name, topic) ? "ok" : "none");
}

static int check_inbound(char **words)
{
    if (strcmp(words[0], "enrolment-result") == 0)
        return for_each_line(use_enrolment_result, NULL);
    if (strcmp(words[0], "acked") == 0)
        return for_each_line(use_acked, NULL);
    return strcmp(words[0], "topic") == 0 ? for_each_line(use_topic, NULL) : 2;
}

static int check_self_test_input(char **words)
{
    uint8_t element[4];
    uint32_t state = (uint32_t)strtoul(words[0], NULL, 10);
    unsigned long count = strtoul(words[1], NULL, 10);
    enum dtype dtype = strcmp(words[2], "float32") == 0 ? DTYPE_FLOAT32 : DTYPE_INT8;
    while (count-- > 0)
        print_hex(bytes_of(element, generate_element(&state, dtype, element)));
    printf("\n");
    return 0;
}

static int check_proof(char **words)
{
    char public_key[PUBLIC_KEY_MAX_CHARS + 1];
    uint8_t proof[PROOF_MAX_BYTES];
    struct enrolment enrolment = {words[0], words[1], public_key, "", ""};
    size_t size = fread(public_key, 1, PUBLIC_KEY_MAX_CHARS, stdin);
    public_key[size] = '\0';
    snprintf(enrolment.verifier, sizeof enrolment.verifier, "%s", words[2]);
    print_hex(bytes_of(proof, write_proof(proof, &enrolment)));
    printf("\n");
    return 0;
}

static int check_verifier(char **words)
{
    char verifier[VERIFIER_MAX_CHARS + 1];
    if (strlen(words[1]) != SALT_BYTES ||
        !write_verifier(verifier, words[0], (const uint8_t *)words[1]))
        return 1;
    printf("%s\n", verifier);
    return 0;
}

static int check_topic(char **words)
{
    struct block_name name;
    char topic[TOPIC_MAX_CHARS];
    if (!block_name_read(&name, words[0]))
        return 1;
    block_topic_write(topic, &name);
    printf("%s\n", topic);
    return 0;
}

/* The values of tests/contract/vectors/values.json, where a line is a message. */
static int check_messages(char **words)
{
    char text[1024];
    struct json_out out = json_open(text, sizeof text);
    struct boot_record record = {.boot = strtoull(words[0], NULL, 10), .active = 1};
    struct report report = {&record.ended.order, STATUS_DOWNLOADING, CODE_OK, record.boot, 0.5, ""};
    record.ended.order.exists = true;
    record.ended.order.sequence = strtoull(words[1], NULL, 10);
    if (!hex_read(record.ended.order.deployment, UUID_BYTES, words[2]) ||
        !hex_read(record.slots[1].digest, DIGEST_BYTES, words[3]))
        return 1;
    write_report(&out, &report);
    json_put(&out, "\n");
    write_online(&out, true, record.boot);
    json_put(&out, "\n");
    write_state(&out, &record);
    puts(text);
    return out.full;
}

static int check_operators(char **words)
{
    (void)words;
    for (uint64_t code = 0; operator_name(code) != NULL; code++)
        puts(operator_name(code));
    return 0;
}

static const struct {
    const char *name;
    int words;
    int (*check)(char **words);
} checks[] = {
    {"envelopes", 5, check_envelopes},
    {"block", 3, check_block},
    {"self-test-input", 3, check_self_test_input},
    {"proof", 3, check_proof},
    {"verifier", 2, check_verifier},
    {"topic", 1, check_topic},
    {"messages", 4, check_messages},
    {"operators", 0, check_operators},
    {"inbound", 1, check_inbound},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof checks / sizeof *checks; i++)
        if (strcmp(argv[1], checks[i].name) == 0 && argc == 2 + checks[i].words)
            return checks[i].check(argv + 2);
    fputs("usage: tinyfleet-check CHECK ...; check.c names them\n", stderr);
    return 2;
}
