/*
 * libFuzzer: what anybody may send must not reach beyond its end, and what was opened can be asked. The input is two octets of length, an
 * artefact of so many, and a delta. clang -g -O1 -fsanitize=fuzzer,address,undefined status_fuzz.c ../touchmark_status.c
 */
#include <stdlib.h>
#include <string.h>

#include "../touchmark_status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int accept(void *context, const tms_signed *what) {
  volatile uint8_t sum = 0;
  size_t i;
  (void)context;
  for (i = 0; i < what->signer.length; i++) sum ^= what->signer.octets[i];
  for (i = 0; i < what->to_be_signed_head.length; i++) sum ^= what->to_be_signed_head.octets[i];
  for (i = 0; i < what->signature.length; i++) sum ^= what->signature.octets[i];
  return 1;
}

static uint8_t *copied(const uint8_t *octets, size_t length) {
  uint8_t *copy = malloc(length == 0 ? 1 : length);
  if (copy == NULL) abort();
  if (length != 0) memcpy(copy, octets, length);
  return copy;
}

static void ask(const uint8_t *octets, size_t length) {
  static const uint8_t nobody[TMS_HASH_OCTETS];
  tms_artefact artefact;
  tms_certificate asked;
  uint8_t serial[TMS_SERIAL_OCTETS];
  unsigned i, j;
  tms_result result = tms_open(&artefact, octets, length, nobody, 0, accept, NULL);
  if (result == TMS_SIGNATURE_INVALID)
    result = tms_open(&artefact, octets, length, artefact.issuer_key_hash, 0, accept, NULL);
  if (result != TMS_OK) return;
  (void)tms_freshness_at(&artefact, artefact.this_update);
  asked.issuer_key_hash = artefact.issuer_key_hash;
  asked.serial_number = serial;
  asked.serial_length = sizeof serial;
  asked.not_after = UINT64_C(253402300799);
  for (i = 0; i < 8; i++) {
    for (j = 0; j < sizeof serial; j++) serial[j] = (uint8_t)(j * 37 + i * 101 + artefact.epoch);
    /* A serial number that is covered: issued in the second of notBefore. */
    asked.not_before = artefact.covered_until;
    for (j = 0; j < 4; j++) serial[j] = (uint8_t)(asked.not_before >> (8 * (3 - j)));
    (void)tms_query(&artefact, &asked);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  size_t first, rest, made = 0, room;
  uint8_t *artefact, *delta, *out;
  if (size < 2) return 0;
  first = (size_t)data[0] << 8 | data[1];
  if (first > size - 2) first = size - 2;
  rest = size - 2 - first;
  artefact = copied(data + 2, first);
  delta = copied(data + 2 + first, rest);
  ask(artefact, first);
  room = first + rest + (data[0] & 7u);
  out = malloc(room == 0 ? 1 : room);
  if (out == NULL) abort();
  if (tms_apply_delta(artefact, first, delta, rest, out, room, &made) == TMS_OK) {
    uint8_t *exact = copied(out, made);
    ask(exact, made);
    free(exact);
  }
  free(out);
  free(delta);
  free(artefact);
  return 0;
}
