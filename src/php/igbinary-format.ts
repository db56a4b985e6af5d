/** The bytes of the igbinary format (igbinary 3, format version 2). */

/** The type byte that stands before every value; numbers in the names are the bits of the length, count or id. */
export const IgbinaryTag = {
  NULL: 0x00,
  REF8: 0x01,
  REF32: 0x03,
  FALSE: 0x04,
  TRUE: 0x05,
  LONG8_POSITIVE: 0x06,
  LONG32_NEGATIVE: 0x0b,
  DOUBLE: 0x0c,
  STRING_EMPTY: 0x0d,
  STRING_ID8: 0x0e,
  STRING_ID32: 0x10,
  STRING8: 0x11,
  STRING32: 0x13,
  ARRAY8: 0x14,
  ARRAY32: 0x16,
  OBJECT8: 0x17,
  OBJECT32: 0x19,
  OBJECT_ID8: 0x1a,
  OBJECT_ID32: 0x1c,
  OBJECT_DATA8: 0x1d,
  OBJECT_DATA32: 0x1f,
  LONG64_POSITIVE: 0x20,
  LONG64_NEGATIVE: 0x21,
  OBJECT_REF8: 0x22,
  OBJECT_REF32: 0x24,
  REFERENCE: 0x25,
  ENUM_CASE: 0x27,
} as const;

/** The version that PHP writes, and the first four bytes. */
export const IGBINARY_VERSION = 2;
