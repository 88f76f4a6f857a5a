/* See touchmark_status.h. Every read goes through a reader that knows its end; every shift and product stays in unsigned arithmetic. */
#include "touchmark_status.h"

#include <string.h>

#define HEAD_OCTETS 101u
#define SEGMENT_HEAD_OCTETS 17u
#define MAX_WIDTH 32u
#define MAX_SIEVES 31u
#define MAX_COLUMN_OCTETS (UINT32_C(1) << 27)
/* 9999-12-31T23:59:59Z */
#define MAX_TIME UINT64_C(253402300799)

/* ---- reading ---- */

typedef struct {
  const uint8_t *at;
  size_t left;
  int broken;
} reader;

/* Where octets are missing, the reader breaks, and what it gives from then on is nothing. */
static const uint8_t *take(reader *r, size_t length) {
  const uint8_t *at = r->at;
  if (r->broken || length > r->left) {
    r->broken = 1;
    return NULL;
  }
  r->at += length;
  r->left -= length;
  return at;
}

static uint32_t take_number(reader *r, unsigned octets) {
  const uint8_t *at = take(r, octets);
  uint32_t value = 0;
  unsigned i;
  if (at == NULL) return 0;
  for (i = 0; i < octets; i++) value = value << 8 | at[i];
  return value;
}

static uint64_t take_time(reader *r) {
  uint64_t high = take_number(r, 4);
  uint64_t value = high << 32 | take_number(r, 4);
  if (value > MAX_TIME) r->broken = 1;
  return value;
}

static void expect(reader *r, const void *octets, size_t length) {
  const uint8_t *at = take(r, length);
  if (at == NULL || memcmp(at, octets, length) != 0) r->broken = 1;
}

/* The head of a CBOR data item in its shortest form (RFC 8949 section 3); the argument fits 32 bits. */
static uint32_t take_head(reader *r, unsigned major) {
  unsigned first = (unsigned)take_number(r, 1);
  unsigned form = first & 31u;
  uint32_t value = form;
  if (first >> 5 != major || form > 26) r->broken = 1;
  if (form >= 24) {
    value = take_number(r, 1u << ((form - 24u) & 3u));
    if (value < (form == 24 ? 24u : form == 25 ? 0x100u : 0x10000u)) r->broken = 1;
  }
  return value;
}

static tms_span take_string(reader *r) {
  tms_span span;
  span.length = take_head(r, 2);
  span.octets = take(r, span.length);
  return span;
}

/* Serial numbers, each greater than the one before. */
static const uint8_t *take_serials(reader *r, uint32_t count) {
  const uint8_t *list;
  uint32_t i;
  if (count > r->left / TMS_SERIAL_OCTETS) r->broken = 1;
  list = take(r, (size_t)count * TMS_SERIAL_OCTETS);
  if (list == NULL) return NULL;
  for (i = 1; i < count; i++) {
    const uint8_t *serial = list + (size_t)i * TMS_SERIAL_OCTETS;
    if (memcmp(serial - TMS_SERIAL_OCTETS, serial, TMS_SERIAL_OCTETS) >= 0) r->broken = 1;
  }
  return list;
}

/* ---- the envelope: COSE_Sign1 in one shape ---- */

typedef struct {
  tms_span head; /* everything before the payload's length */
  tms_span protected_header;
  tms_span payload;
  tms_span signer;
  tms_span signature;
  int32_t algorithm;
} envelope;

static int read_envelope(envelope *e, const uint8_t *octets, size_t length) {
  static const char content_type[] = "\x03\x78\x20" "application/vnd.touchmark.status";
  reader r, header;
  uint32_t number;
  r.at = octets;
  r.left = length;
  r.broken = 0;
  expect(&r, "\xd2\x84", 2);
  e->protected_header = take_string(&r);
  expect(&r, "\xa1\x18\x21", 3);
  e->signer = take_string(&r);
  e->head.octets = octets;
  e->head.length = length - r.left;
  e->payload = take_string(&r);
  e->signature = take_string(&r);
  if (r.broken || r.left != 0) return 0;

  header.at = e->protected_header.octets;
  header.left = e->protected_header.length;
  header.broken = 0;
  expect(&header, "\xa2\x01", 2);
  if (header.left != 0 && header.at[0] >> 5 == 0) {
    number = take_head(&header, 0);
    e->algorithm = (int32_t)(number & 0x7fffffffu);
  } else {
    number = take_head(&header, 1);
    e->algorithm = -1 - (int32_t)(number & 0x7fffffffu);
  }
  expect(&header, content_type, sizeof content_type - 1);
  return number <= 0x7fffffffu && !header.broken && header.left == 0;
}

/* A CBOR head in its shortest form: 1 to 5 octets. */
static size_t put_head(uint8_t *out, unsigned major, uint32_t value) {
  unsigned octets = value < 24 ? 0 : value < 0x100 ? 1 : value < 0x10000 ? 2 : 4;
  unsigned i;
  out[0] = (uint8_t)(major << 5 | (octets == 0 ? value : octets == 1 ? 24u : octets == 2 ? 25u : 26u));
  for (i = 0; i < octets; i++) out[1 + i] = (uint8_t)(value >> (8 * (octets - 1 - i)));
  return 1u + octets;
}

/* ---- the payload ---- */

/* Of a head and of the list behind it, what has to be known before the rest can be read. */
static tms_result read_head(tms_artefact *a, reader *r) {
  const uint8_t *magic = take(r, 4);
  if (magic == NULL || memcmp(magic, "TMS", 3) != 0) return TMS_MALFORMED;
  if (magic[3] != 1) return TMS_VERSION_UNKNOWN;
  a->issuer_key_hash = take(r, TMS_HASH_OCTETS);
  a->epoch = take_number(r, 4);
  a->this_update = take_time(r);
  a->next_update = take_time(r);
  a->grace_until = take_time(r);
  a->covered_from = take_time(r);
  a->covered_until = take_time(r);
  a->expired_before = take_time(r);
  a->universe = take_number(r, 4);
  a->revoked = take_number(r, 4);
  if (take_number(r, 4) != TMS_SERIAL_OCTETS << 24) return TMS_MALFORMED;
  a->segment_count = (uint8_t)take_number(r, 1);
  if (r->broken || a->segment_count > TMS_MAX_SEGMENTS || a->this_update > a->next_update ||
      a->next_update > a->grace_until)
    return TMS_MALFORMED;
  return TMS_OK;
}

static int shape_fits(uint32_t octets, unsigned width) {
  return width <= MAX_WIDTH && width <= octets && octets <= MAX_COLUMN_OCTETS && (width == 0) == (octets == 0);
}

static int read_segment(tms_segment *s, reader *r) {
  uint64_t length;
  s->inverted = (uint8_t)take_number(r, 1);
  s->attempt = (uint8_t)take_number(r, 1);
  s->sieves = (uint8_t)take_number(r, 1);
  s->sieve_width = (uint8_t)take_number(r, 1);
  s->exact_width = (uint8_t)take_number(r, 1);
  s->salt = take_number(r, 4);
  s->sieve_octets = take_number(r, 4);
  s->exact_octets = take_number(r, 4);
  if (r->broken || s->inverted > 1 || s->sieves > MAX_SIEVES || (s->sieves == 0) != (s->sieve_octets == 0) ||
      !shape_fits(s->sieve_octets, s->sieve_width) || !shape_fits(s->exact_octets, s->exact_width))
    return 0;
  length = (uint64_t)s->sieves * s->sieve_octets + s->exact_octets;
  if (length > r->left) return 0;
  s->columns = take(r, (size_t)length);
  return !r->broken;
}

static tms_result read_body(tms_artefact *a, tms_span payload) {
  reader r;
  tms_result result;
  unsigned i;
  r.at = payload.octets;
  r.left = payload.length;
  r.broken = 0;
  result = read_head(a, &r);
  if (result != TMS_OK) return result;
  for (i = 0; i < a->segment_count; i++)
    if (!read_segment(&a->segments[i], &r)) return TMS_MALFORMED;
  if (r.left % TMS_SERIAL_OCTETS != 0) return TMS_MALFORMED;
  a->exception_count = (uint32_t)(r.left / TMS_SERIAL_OCTETS);
  a->exceptions = take_serials(&r, a->exception_count);
  return r.broken ? TMS_MALFORMED : TMS_OK;
}

tms_result tms_open(tms_artefact *out, const uint8_t *octets, size_t length, const uint8_t *issuer_key_hash,
                    uint32_t not_below, tms_verify verify, void *context) {
  /* 84 6a "Signature1", the protected header (some 40 octets), 40, the head of the payload. */
  uint8_t head[12 + 5 + 64 + 1 + 5] = "\x84\x6a" "Signature1";
  size_t at = 12;
  envelope e;
  tms_signed what;
  tms_result result;
  if (!read_envelope(&e, octets, length) || e.protected_header.length > 64) return TMS_MALFORMED;
  result = read_body(out, e.payload);
  if (result != TMS_OK) return result;

  at += put_head(head + at, 2, (uint32_t)e.protected_header.length);
  memcpy(head + at, e.protected_header.octets, e.protected_header.length);
  at += e.protected_header.length;
  head[at++] = 0x40;
  at += put_head(head + at, 2, (uint32_t)e.payload.length);
  what.algorithm = e.algorithm;
  what.signer = e.signer;
  what.to_be_signed_head.octets = head;
  what.to_be_signed_head.length = at;
  what.payload = e.payload;
  what.signature = e.signature;
  what.this_update = out->this_update;
  what.next_update = out->next_update;
  if (memcmp(out->issuer_key_hash, issuer_key_hash, TMS_HASH_OCTETS) != 0 || verify(context, &what) != 1)
    return TMS_SIGNATURE_INVALID;
  return out->epoch < not_below ? TMS_EPOCH_OLDER : TMS_OK;
}

/* ---- the filter ---- */

static uint32_t rotated(uint32_t x, unsigned by) { return x << by | x >> (32 - by); }

/* HalfSipHash-2-4 with 64 bits of result, of the 16 octets of a serial number. */
static void half_sip_hash(uint32_t k0, uint32_t k1, const uint8_t *octets, uint32_t out[2]) {
  uint32_t v0 = k0, v1 = k1 ^ 0xeeu, v2 = UINT32_C(0x6c796765) ^ k0, v3 = UINT32_C(0x74656462) ^ k1;
  unsigned step, rounds;
  /* Four words, the length, and two results. */
  for (step = 0; step < 7; step++) {
    uint32_t word = 0;
    if (step < 4) {
      const uint8_t *from = octets + 4 * step;
      word = from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
    } else if (step == 4) {
      word = TMS_SERIAL_OCTETS << 24;
    }
    v3 ^= word;
    for (rounds = step < 5 ? 2 : 4; rounds > 0; rounds--) {
      v0 += v1;
      v1 = rotated(v1, 5) ^ v0;
      v0 = rotated(v0, 16);
      v2 += v3;
      v3 = rotated(v3, 8) ^ v2;
      v0 += v3;
      v3 = rotated(v3, 7) ^ v0;
      v2 += v1;
      v1 = rotated(v1, 13) ^ v2;
      v2 = rotated(v2, 16);
    }
    v0 ^= word;
    if (step == 4) v2 ^= 0xeeu;
    if (step == 5) {
      out[0] = v1 ^ v3;
      v1 ^= 0xddu;
    }
  }
  out[1] = v1 ^ v3;
}

/* Where the row of a key begins in each column, and its coefficients. */
typedef struct {
  uint32_t start;
  uint8_t width;
  uint8_t coefficients[MAX_WIDTH];
} ribbon_row;

static void read_row(ribbon_row *row, uint32_t octets, unsigned width, uint32_t k0, uint32_t k1, const uint8_t *serial) {
  uint32_t hash[2] = {0, 0};
  unsigned i;
  half_sip_hash(k0, k1, serial, hash);
  row->width = (uint8_t)width;
  row->start = (uint32_t)(((uint64_t)hash[0] * (8 * (octets - width) + 1)) >> 32);
  for (i = 0; i < width; i += 4) {
    uint32_t word = hash[1] + (i / 4 + 1) * UINT32_C(0x9e3779b9);
    unsigned j;
    word = (word ^ word >> 16) * UINT32_C(0x85ebca6b);
    word = (word ^ word >> 13) * UINT32_C(0xc2b2ae35);
    word ^= word >> 16;
    for (j = 0; j < 4; j++) row->coefficients[i + j] = (uint8_t)(word >> 8 * j);
  }
  row->coefficients[0] |= 1;
}

/* The sum over GF(2) of a column's bits in the window, as the coefficients choose them. */
static unsigned dot(const ribbon_row *row, const uint8_t *column) {
  const uint8_t *at = column + (row->start >> 3);
  unsigned shift = row->start & 7u;
  unsigned sum = 0, i;
  for (i = 0; i < row->width; i++) {
    unsigned bits = at[i];
    /* A window that does not begin with an octet ends before the column does: the next octet is there. */
    if (shift != 0) bits = bits >> shift | (unsigned)at[i + 1] << (8 - shift);
    sum ^= bits & row->coefficients[i];
  }
  sum ^= sum >> 4;
  return 0x6996u >> (sum & 15u) & 1u;
}

static unsigned in_segment(const tms_segment *s, const uint8_t *serial) {
  ribbon_row row;
  unsigned i;
  if (s->sieves != 0) {
    read_row(&row, s->sieve_octets, s->sieve_width, s->salt, 0, serial);
    for (i = 0; i < s->sieves; i++)
      if (dot(&row, s->columns + (size_t)i * s->sieve_octets) != 0) return s->inverted;
  }
  if (s->exact_octets == 0) return !s->inverted;
  read_row(&row, s->exact_octets, s->exact_width, s->salt, 1u + s->attempt, serial);
  return dot(&row, s->columns + (size_t)s->sieves * s->sieve_octets) ^ s->inverted;
}

static unsigned in_exceptions(const tms_artefact *a, const uint8_t *serial) {
  uint32_t low = 0, high = a->exception_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    int order = memcmp(a->exceptions + (size_t)middle * TMS_SERIAL_OCTETS, serial, TMS_SERIAL_OCTETS);
    if (order == 0) return 1;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return 0;
}

tms_status tms_query(const tms_artefact *a, const tms_certificate *c) {
  uint8_t serial[TMS_SERIAL_OCTETS] = {0};
  const uint8_t *digits = c->serial_number;
  size_t length = c->serial_length;
  uint32_t low, after;
  unsigned revoked, i;
  /* DER puts a zero before a high bit, and leaves out leading zeros. */
  while (length > 0 && digits[0] == 0) {
    digits++;
    length--;
  }
  if (length > TMS_SERIAL_OCTETS || memcmp(c->issuer_key_hash, a->issuer_key_hash, TMS_HASH_OCTETS) != 0)
    return TMS_UNKNOWN_FOREIGN;
  if (length > 0) memcpy(serial + (TMS_SERIAL_OCTETS - length), digits, length);
  if (c->not_after < a->expired_before) return TMS_UNKNOWN_EXPIRED;
  if (c->not_before < a->covered_from) return TMS_UNKNOWN_OLDER;
  /* The second of issue: the first not before notBefore whose low 31 bits are those in the serial number. */
  low = (uint32_t)serial[0] << 24 | (uint32_t)serial[1] << 16 | (uint32_t)serial[2] << 8 | serial[3];
  after = (low - (uint32_t)c->not_before) & 0x7fffffffu;
  if (c->not_before > a->covered_until || after > a->covered_until - c->not_before) return TMS_UNKNOWN_NEWER;
  revoked = in_exceptions(a, serial);
  for (i = 0; i < a->segment_count; i++) revoked ^= in_segment(&a->segments[i], serial);
  return revoked ? TMS_REVOKED : TMS_GOOD;
}

tms_freshness tms_freshness_at(const tms_artefact *a, uint64_t now) {
  if (now < a->this_update) return TMS_EARLY;
  if (now <= a->next_update) return TMS_FRESH;
  return now <= a->grace_until ? TMS_GRACE : TMS_STALE;
}

/* ---- deltas ---- */

typedef struct {
  uint8_t *at;
  size_t room;
  int full;
} writer;

static void put(writer *w, const uint8_t *octets, size_t length) {
  if (w->full || length > w->room) {
    w->full = 1;
    return;
  }
  if (length != 0) memcpy(w->at, octets, length);
  w->at += length;
  w->room -= length;
}

static void put_length(writer *w, size_t length) {
  uint8_t head[5];
  put(w, head, put_head(head, 2, (uint32_t)length));
}

/* Writes `list` without `removed` and with `added`, all ascending; 0 where one to remove is missing, or one to add is there. */
static int put_merged(writer *w, reader list, reader removed, reader added) {
  while (list.left > 0 || added.left > 0) {
    int order = list.left == 0 ? 1 : added.left == 0 ? -1 : memcmp(list.at, added.at, TMS_SERIAL_OCTETS);
    reader *from = order < 0 ? &list : &added;
    const uint8_t *serial = take(from, TMS_SERIAL_OCTETS);
    if (order == 0) return 0;
    if (order < 0 && removed.left > 0 && memcmp(removed.at, serial, TMS_SERIAL_OCTETS) == 0)
      take(&removed, TMS_SERIAL_OCTETS);
    else
      put(w, serial, TMS_SERIAL_OCTETS);
  }
  return removed.left == 0;
}

static reader serials_of(reader *r, uint32_t count) {
  reader list;
  list.at = take_serials(r, count);
  list.left = list.at == NULL ? 0 : (size_t)count * TMS_SERIAL_OCTETS;
  list.broken = 0;
  return list;
}

tms_result tms_apply_delta(const uint8_t *artefact, size_t artefact_length, const uint8_t *delta, size_t delta_length,
                           uint8_t *out, size_t capacity, size_t *out_length) {
  envelope e;
  tms_artefact a, b;
  tms_segment segment;
  reader r, list, removed, added;
  writer w;
  tms_span head, fresh, signature;
  tms_result result;
  uint32_t from;
  unsigned flags, kept, i;
  const uint8_t *fixed, *segments;
  size_t kept_length;

  if (!read_envelope(&e, artefact, artefact_length)) return TMS_MALFORMED;
  result = read_body(&a, e.payload);
  if (result != TMS_OK) return result;

  r.at = delta;
  r.left = delta_length;
  r.broken = 0;
  expect(&r, "TMD\x01", 4);
  from = take_number(&r, 4);
  flags = (unsigned)take_number(&r, 1);
  kept = (unsigned)take_number(&r, 1);
  fixed = r.at;
  if (r.broken || flags > 3) return TMS_MALFORMED;
  result = read_head(&b, &r);
  if (result != TMS_OK) return result;
  if (from != a.epoch || memcmp(a.issuer_key_hash, b.issuer_key_hash, TMS_HASH_OCTETS) != 0) return TMS_DELTA_UNFIT;
  if (b.epoch <= from || kept > b.segment_count || kept > a.segment_count) return TMS_MALFORMED;
  head = e.head;
  if (flags & 1u) {
    head.length = take_number(&r, 2);
    head.octets = take(&r, head.length);
  }
  fresh.octets = r.at;
  for (i = kept; i < b.segment_count; i++)
    if (!read_segment(&segment, &r)) return TMS_MALFORMED;
  fresh.length = (size_t)(r.at - fresh.octets);
  removed = serials_of(&r, take_number(&r, 4));
  added = serials_of(&r, take_number(&r, 4));
  signature.length = take_number(&r, 2);
  signature.octets = take(&r, signature.length);
  list.at = a.exceptions;
  list.left = flags & 2u ? 0 : (size_t)a.exception_count * TMS_SERIAL_OCTETS;
  list.broken = 0;
  if (r.broken || r.left != 0 || removed.left > list.left) return TMS_MALFORMED;

  /* The segments that stay lie together, from behind the head to the first that does not. */
  segments = e.payload.octets + HEAD_OCTETS;
  kept_length = 0;
  for (i = 0; i < kept; i++) {
    const tms_segment *s = &a.segments[i];
    kept_length += SEGMENT_HEAD_OCTETS + (size_t)s->sieves * s->sieve_octets + s->exact_octets;
  }

  w.at = out;
  w.room = capacity;
  w.full = 0;
  put(&w, head.octets, head.length);
  put_length(&w, HEAD_OCTETS + kept_length + fresh.length + list.left - removed.left + added.left);
  put(&w, fixed, HEAD_OCTETS);
  put(&w, segments, kept_length);
  put(&w, fresh.octets, fresh.length);
  if (!put_merged(&w, list, removed, added)) return TMS_MALFORMED;
  put_length(&w, signature.length);
  put(&w, signature.octets, signature.length);
  if (w.full) return TMS_NO_ROOM;
  *out_length = capacity - w.room;
  return TMS_OK;
}
