// BLAKE2b of several messages at once, one in each lane of the processor's vectors.
//
// One message alone cannot use vectors: of the 16 words of its state each step needs what the step before made, and
// libcrypto's scalar code is as fast as its vector form. Messages do not depend on each other.
//
// Source: RFC 7693. Compared with libcrypto for every length around the block size by KopiaFormatTests.

#include "blake2b_lanes.h"

#include <string.h>

enum { block_size = 128, digest_size = 32, lanes_max = 8 };

static const uint64_t initial[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

static const uint8_t schedule[12][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
};

/// What the lanes work on. A lane without a message reads the same block again and again.
struct lanes {
    /// By word, then by lane.
    uint64_t state[8][lanes_max];
    /// Bytes of the message with this block, the key's block included.
    uint64_t counter[lanes_max];
    /// All ones for the last block of a message.
    uint64_t last[lanes_max];
    const uint8_t *next[lanes_max];
    /// Bytes from one block to the next.
    size_t stride[lanes_max];
};

#define ROTATED(x, n) (((x) >> (n)) | ((x) << (64 - (n))))
#define MIX(round, step, a, b, c, d)              \
    a += b + m[schedule[round][2 * (step)]];      \
    d = ROTATED(d ^ a, 32);                       \
    c += d;                                       \
    b = ROTATED(b ^ c, 24);                       \
    a += b + m[schedule[round][2 * (step) + 1]];  \
    d = ROTATED(d ^ a, 16);                       \
    c += d;                                       \
    b = ROTATED(b ^ c, 63);
#define ROUND(r)                                                                      \
    MIX(r, 0, v0, v4, v8, v12) MIX(r, 1, v1, v5, v9, v13) MIX(r, 2, v2, v6, v10, v14) \
    MIX(r, 3, v3, v7, v11, v15) MIX(r, 4, v0, v5, v10, v15) MIX(r, 5, v1, v6, v11, v12) \
    MIX(r, 6, v2, v7, v8, v13) MIX(r, 7, v3, v4, v9, v14)

/// Defines a function that takes `blocks` blocks in each of `count` lanes; `vector` holds a word of all of them.
/// `last` applies to all of these blocks, so that a message's last one is taken alone.
#define DEFINE_COMPRESS(name, attribute, vector, count)                                                              \
    attribute static void name(struct lanes *lanes, size_t blocks) {                                                 \
        vector h[8], t, f;                                                                                           \
        for (int w = 0; w < 8; w++) memcpy(&h[w], lanes->state[w], sizeof(vector));                                  \
        memcpy(&t, lanes->counter, sizeof(vector));                                                                  \
        memcpy(&f, lanes->last, sizeof(vector));                                                                     \
        const vector zero = {0};                                                                                     \
        for (size_t n = 0; n < blocks; n++) {                                                                        \
            uint64_t words[16][count];                                                                               \
            for (int l = 0; l < count; l++) {                                                                        \
                const uint8_t *block = lanes->next[l] + n * lanes->stride[l];                                        \
                for (int w = 0; w < 16; w++) memcpy(&words[w][l], block + 8 * w, 8);                                 \
            }                                                                                                        \
            vector m[16];                                                                                            \
            memcpy(m, words, sizeof m);                                                                              \
            vector v0 = h[0], v1 = h[1], v2 = h[2], v3 = h[3], v4 = h[4], v5 = h[5], v6 = h[6], v7 = h[7];           \
            vector v8 = zero + initial[0], v9 = zero + initial[1], v10 = zero + initial[2], v11 = zero + initial[3]; \
            vector v12 = t ^ initial[4], v13 = zero + initial[5], v14 = f ^ initial[6], v15 = zero + initial[7];     \
            ROUND(0) ROUND(1) ROUND(2) ROUND(3) ROUND(4) ROUND(5)                                                    \
            ROUND(6) ROUND(7) ROUND(8) ROUND(9) ROUND(10) ROUND(11)                                                  \
            h[0] ^= v0 ^ v8, h[1] ^= v1 ^ v9, h[2] ^= v2 ^ v10, h[3] ^= v3 ^ v11;                                    \
            h[4] ^= v4 ^ v12, h[5] ^= v5 ^ v13, h[6] ^= v6 ^ v14, h[7] ^= v7 ^ v15;                                  \
            t += (uint64_t)block_size;                                                                               \
        }                                                                                                            \
        for (int w = 0; w < 8; w++) memcpy(lanes->state[w], &h[w], sizeof(vector));                                  \
    }

DEFINE_COMPRESS(compress_1, , uint64_t, 1)

#if defined(__x86_64__)
typedef uint64_t vector_4 __attribute__((vector_size(32)));
typedef uint64_t vector_8 __attribute__((vector_size(64)));
DEFINE_COMPRESS(compress_4, __attribute__((target("avx2"))), vector_4, 4)
DEFINE_COMPRESS(compress_8, __attribute__((target("avx512f"))), vector_8, 8)
#endif

size_t blake2b_lane_count(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return 8;
    if (__builtin_cpu_supports("avx2")) return 4;
#endif
    return 1;
}

static void compress(size_t count, struct lanes *lanes, size_t blocks) {
#if defined(__x86_64__)
    if (count == 8) {
        compress_8(lanes, blocks);
        return;
    }
    if (count == 4) {
        compress_4(lanes, blocks);
        return;
    }
#endif
    compress_1(lanes, blocks);
}

/// What a lane has left of its message.
struct rest {
    /// 0 for a lane without a message.
    size_t length;
    size_t message;
    uint8_t block[block_size];
};

void blake2b_lanes_hash(
    size_t lane_count, const uint8_t *key, size_t key_length, const uint8_t *const *messages, const size_t *lengths,
    size_t count, uint8_t *digests) {
    static const uint8_t nothing[block_size];
    uint8_t key_block[block_size] = {0};
    memcpy(key_block, key, key_length);
    // The state after the key's block is the same for all.
    struct lanes keyed = {.counter = {block_size}, .next = {key_block}};
    for (int w = 0; w < 8; w++) keyed.state[w][0] = initial[w];
    keyed.state[0][0] ^= 0x01010000 ^ (uint64_t)key_length << 8 ^ digest_size;
    compress_1(&keyed, 1);

    struct lanes lanes = {0};
    struct rest rests[lanes_max] = {0};
    size_t started = 0, finished = 0;
    while (finished < count) {
        // Blocks that are the last of no lane.
        size_t blocks = SIZE_MAX;
        for (size_t l = 0; l < lane_count; l++) {
            struct rest *rest = &rests[l];
            if (rest->length == 0 && started < count) {
                *rest = (struct rest){.length = lengths[started], .message = started};
                for (int w = 0; w < 8; w++) lanes.state[w][l] = keyed.state[w][0];
                lanes.counter[l] = block_size;
                lanes.next[l] = messages[started];
                lanes.stride[l] = block_size;
                started++;
            }
            if (rest->length == 0) {
                lanes.next[l] = nothing;
                lanes.stride[l] = 0;
            } else if ((rest->length - 1) / block_size < blocks) {
                blocks = (rest->length - 1) / block_size;
            }
        }
        if (blocks > 0) {
            for (size_t l = 0; l < lane_count; l++) lanes.counter[l] += block_size;
            compress(lane_count, &lanes, blocks);
            for (size_t l = 0; l < lane_count; l++) {
                if (rests[l].length == 0) continue;
                rests[l].length -= blocks * block_size;
                lanes.next[l] += blocks * block_size;
                lanes.counter[l] += (blocks - 1) * block_size;
            }
        }
        // One block with the last one of at least one lane.
        for (size_t l = 0; l < lane_count; l++) {
            struct rest *rest = &rests[l];
            if (rest->length == 0 || rest->length > block_size) {
                lanes.counter[l] += block_size;
                continue;
            }
            memcpy(rest->block, lanes.next[l], rest->length);
            lanes.next[l] = rest->block;
            lanes.counter[l] += rest->length;
            lanes.last[l] = UINT64_MAX;
        }
        compress(lane_count, &lanes, 1);
        for (size_t l = 0; l < lane_count; l++) {
            struct rest *rest = &rests[l];
            if (rest->length > block_size) {
                rest->length -= block_size;
                lanes.next[l] += block_size;
            } else if (rest->length > 0) {
                for (int w = 0; w < digest_size / 8; w++) {
                    memcpy(digests + digest_size * rest->message + 8 * w, &lanes.state[w][l], 8);
                }
                rest->length = 0;
                lanes.last[l] = 0;
                finished++;
            }
        }
    }
}
