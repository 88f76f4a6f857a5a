/*
 * The C verifier at the command line, for the tests: `status_tool query FILE` reads lines "issuer-key-hash serial notBefore notAfter" and answers
 * each with a tms_status; `status_tool signed FILE OUT` writes what was signed; `status_tool apply FILE DELTA OUT`; `status_tool time FILE` asks
 * a million times and says nanoseconds per question. A refusal is "error <tms_result>", and status 1. Every signature counts as good here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../touchmark_status.h"

static uint8_t *read_file(const char *name, size_t *length) {
  FILE *file = fopen(name, "rb");
  uint8_t *octets;
  long size;
  if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0) exit(2);
  /* Of the very size, so that the sanitizers see each step beyond it. */
  octets = malloc(size == 0 ? 1 : (size_t)size);
  *length = (size_t)size;
  if (octets == NULL || fread(octets, 1, *length, file) != *length) exit(2);
  fclose(file);
  return octets;
}

static FILE *created(const char *name) {
  FILE *file = fopen(name, "wb");
  if (file == NULL) exit(2);
  return file;
}

static size_t from_hex(const char *text, uint8_t *out, size_t room) {
  size_t length = 0;
  unsigned value;
  while (length < room && sscanf(text + 2 * length, "%2x", &value) == 1) out[length++] = (uint8_t)value;
  return length;
}

static int accept(void *context, const tms_signed *what) {
  FILE *out = context;
  if (out != NULL) {
    fwrite(what->to_be_signed_head.octets, 1, what->to_be_signed_head.length, out);
    fwrite(what->payload.octets, 1, what->payload.length, out);
    printf("%ld %zu %zu\n", (long)what->algorithm, what->signer.length, what->signature.length);
  }
  return 1;
}

static int refused(tms_result result) {
  printf("error %d\n", result);
  return 1;
}

/* Whose artefact it is stands behind the first head of the payload; here it is taken as it comes. */
static tms_result open_any(tms_artefact *artefact, const uint8_t *octets, size_t length, FILE *out) {
  static const uint8_t nobody[TMS_HASH_OCTETS];
  tms_result result = tms_open(artefact, octets, length, nobody, 0, accept, NULL);
  return result == TMS_SIGNATURE_INVALID ? tms_open(artefact, octets, length, artefact->issuer_key_hash, 0, accept, out) : result;
}

int main(int count, char **words) {
  tms_artefact artefact;
  uint8_t *octets;
  size_t length;
  tms_result result;
  if (count < 3) return 2;
  octets = read_file(words[2], &length);
  if (strcmp(words[1], "apply") == 0 && count == 5) {
    size_t delta_length, made = 0, room = length;
    uint8_t *delta = read_file(words[3], &delta_length), *out;
    FILE *file;
    room += delta_length + 16;
    out = malloc(room);
    if (out == NULL) return 2;
    result = tms_apply_delta(octets, length, delta, delta_length, out, room, &made);
    if (result == TMS_OK) {
      file = created(words[4]);
      fwrite(out, 1, made, file);
      fclose(file);
    }
    free(out);
    free(delta);
    free(octets);
    return result == TMS_OK ? 0 : refused(result);
  }
  if (strcmp(words[1], "signed") == 0 && count == 4) {
    FILE *file = created(words[3]);
    result = open_any(&artefact, octets, length, file);
    fclose(file);
    free(octets);
    return result == TMS_OK ? 0 : refused(result);
  }
  result = open_any(&artefact, octets, length, NULL);
  if (result != TMS_OK) {
    free(octets);
    return refused(result);
  }
  if (strcmp(words[1], "time") == 0) {
    const unsigned long rounds = 1000000;
    unsigned long i, revoked = 0;
    uint8_t serial[TMS_SERIAL_OCTETS] = {0};
    uint32_t state = 1;
    tms_certificate asked;
    clock_t begin;
    asked.issuer_key_hash = artefact.issuer_key_hash;
    asked.serial_number = serial;
    asked.serial_length = sizeof serial;
    asked.not_before = artefact.covered_until;
    asked.not_after = UINT64_C(253402300799);
    for (i = 0; i < 4; i++) serial[i] = (uint8_t)(artefact.covered_until >> (8 * (3 - i)));
    serial[0] &= 0x7f;
    begin = clock();
    for (i = 0; i < rounds; i++) {
      state = state * 1664525u + 1013904223u;
      memcpy(serial + 8, &state, sizeof state);
      revoked += tms_query(&artefact, &asked) == TMS_REVOKED;
    }
    printf("%.1f %lu\n", (double)(clock() - begin) / CLOCKS_PER_SEC * 1e9 / (double)rounds, revoked);
  } else {
    char line[512], hash[65], serial[129];
    unsigned long long not_before, not_after;
    while (fgets(line, sizeof line, stdin) != NULL) {
      uint8_t issuer[TMS_HASH_OCTETS], number[64];
      tms_certificate asked;
      if (sscanf(line, "%64s %128s %llu %llu", hash, serial, &not_before, &not_after) != 4) return 2;
      if (from_hex(hash, issuer, sizeof issuer) != sizeof issuer) return 2;
      asked.issuer_key_hash = issuer;
      asked.serial_number = number;
      asked.serial_length = from_hex(serial, number, sizeof number);
      asked.not_before = not_before;
      asked.not_after = not_after;
      printf("%d\n", tms_query(&artefact, &asked));
    }
  }
  free(octets);
  return 0;
}
