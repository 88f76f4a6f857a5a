/*
 * Touchmark status artefact: is this certificate revoked? One header, one source, C99; no heap, no floating point, no recursion, nothing of
 * the C library but memcmp and memcpy. The format: docs/formats/status-artefact.md. A guide: docs/guides/status-on-a-microcontroller.md.
 *
 * The artefact is read where it lies (flash, say) and must not change while it is in use. Signature, storage and clock are the caller's.
 */
#ifndef TOUCHMARK_STATUS_H
#define TOUCHMARK_STATUS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TMS_HASH_OCTETS 32u
#define TMS_SERIAL_OCTETS 16u
#define TMS_MAX_SEGMENTS 8u

typedef enum {
  TMS_OK = 0,
  TMS_MALFORMED = -1,         /* not an artefact, or not a delta */
  TMS_VERSION_UNKNOWN = -2,   /* of a version that this source does not know */
  TMS_SIGNATURE_INVALID = -3, /* not signed by whom the authority lets speak, or about another authority */
  TMS_EPOCH_OLDER = -4,       /* a newer one was seen before */
  TMS_DELTA_UNFIT = -5,       /* the delta begins at another artefact */
  TMS_NO_ROOM = -6            /* the result is longer than the buffer */
} tms_result;

typedef enum {
  TMS_GOOD = 0,
  TMS_REVOKED = 1,
  TMS_UNKNOWN_NEWER = 2,   /* issued after the time until which the artefact covers */
  TMS_UNKNOWN_OLDER = 3,   /* from before the time from which it covers */
  TMS_UNKNOWN_EXPIRED = 4, /* expired certificates have left the universe */
  TMS_UNKNOWN_FOREIGN = 5  /* of another authority, or no serial number of this one */
} tms_status;

typedef enum {
  TMS_EARLY = 0, /* the clock is wrong: it stands before the signed time */
  TMS_FRESH = 1,
  TMS_GRACE = 2, /* to be replaced; may be relied on where no newer one can be had */
  TMS_STALE = 3  /* "good" means nothing any more; "revoked" still does */
} tms_freshness;

/* Octets that belong to somebody else. */
typedef struct {
  const uint8_t *octets;
  size_t length;
} tms_span;

/* What there is to check: `to_be_signed_head`, then `payload`, are what was signed (COSE Sig_structure, RFC 9052 section 4.4). */
typedef struct {
  int32_t algorithm; /* COSE: -7 ES256, -8 EdDSA, -35 ES384, -48 ML-DSA-44, ... */
  tms_span signer;   /* certificate of the signer, DER */
  tms_span to_be_signed_head;
  tms_span payload;
  tms_span signature;
  uint64_t this_update; /* when it was signed: the signer's certificate must be valid then ... */
  uint64_t next_update; /* ... and until then */
} tms_signed;

/*
 * 1 where the signature is good and its signer may speak of the authority's certificates: the authority itself, or a certificate of the
 * authority for OCSPSigning that is valid from this_update to next_update. Anything else: 0.
 */
typedef int (*tms_verify)(void *context, const tms_signed *what);

typedef struct {
  uint32_t salt;
  uint32_t sieve_octets; /* of one column */
  uint32_t exact_octets;
  const uint8_t *columns;
  uint8_t inverted;
  uint8_t attempt;
  uint8_t sieves;
  uint8_t sieve_width;
  uint8_t exact_width;
} tms_segment;

typedef struct {
  const uint8_t *issuer_key_hash;
  uint32_t epoch;
  uint32_t universe; /* certificates that are covered, and how many of them are revoked or held */
  uint32_t revoked;
  uint64_t this_update; /* seconds since 1970 */
  uint64_t next_update;
  uint64_t grace_until;
  uint64_t covered_from;
  uint64_t covered_until;
  uint64_t expired_before;
  uint32_t exception_count;
  const uint8_t *exceptions;
  uint8_t segment_count;
  tms_segment segments[TMS_MAX_SEGMENTS];
} tms_artefact;

/* Of the certificate in question: octets of the serial number as in the certificate, validity in seconds since 1970. */
typedef struct {
  const uint8_t *issuer_key_hash; /* SHA-256 of the issuer's SubjectPublicKeyInfo, 32 octets */
  const uint8_t *serial_number;
  size_t serial_length;
  uint64_t not_before;
  uint64_t not_after;
} tms_certificate;

/*
 * Reads and checks an artefact. `issuer_key_hash`: of the authority that is expected. `not_below`: the highest epoch that was seen, or 0.
 * On anything but TMS_OK, `out` must not be used.
 */
tms_result tms_open(tms_artefact *out, const uint8_t *octets, size_t length, const uint8_t *issuer_key_hash,
                    uint32_t not_below, tms_verify verify, void *context);

/* Right for every certificate that the artefact covers, and unknown for every other. */
tms_status tms_query(const tms_artefact *artefact, const tms_certificate *certificate);

tms_freshness tms_freshness_at(const tms_artefact *artefact, uint64_t now);

/*
 * Writes to `out` the artefact to which `delta` leads from `artefact`; `out` overlaps neither. The result is to be opened with tms_open
 * before it is believed: a delta has no signature of its own. `out_length`: the octets written.
 */
tms_result tms_apply_delta(const uint8_t *artefact, size_t artefact_length, const uint8_t *delta, size_t delta_length,
                           uint8_t *out, size_t capacity, size_t *out_length);

#ifdef __cplusplus
}
#endif

#endif
