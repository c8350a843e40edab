#ifndef BLAKE2B_LANES_H
#define BLAKE2B_LANES_H

#include <stddef.h>
#include <stdint.h>

/// How many messages this processor hashes side by side: 8 (AVX-512), 4 (AVX2), or 1 when that would gain nothing.
size_t blake2b_lane_count(void);

/// Keyed BLAKE2b (RFC 7693) with 32 bytes of digest of several messages side by side.
///
/// The messages may have any lengths but 0. Lanes that are done take the next message, so order them from long to short.
///
/// - lanes: 8, 4 or 1, at most `blake2b_lane_count()`.
/// - key_length: 1 … 64 bytes.
/// - digests: 32 bytes for each message.
void blake2b_lanes_hash(
    size_t lanes, const uint8_t *key, size_t key_length, const uint8_t *const *messages, const size_t *lengths,
    size_t count, uint8_t *digests);

#endif
