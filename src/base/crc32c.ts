/**
 * CRC32C (Castagnoli, reflected polynomial 0x82F63B78), as etcd's log, snapshots and hashes use it.
 * Slicing by eight: eight table reads per eight bytes.
 */
const TABLES = makeTables();

function makeTables(): Int32Array[] {
  const first = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    first[byte] = crc;
  }
  const tables = [first];
  for (let k = 1; k < 8; k++) {
    const previous = tables[k - 1]!;
    const next = new Int32Array(256);
    for (let byte = 0; byte < 256; byte++) {
      next[byte] = (previous[byte]! >>> 8) ^ first[previous[byte]! & 0xff]!;
    }
    tables.push(next);
  }
  return tables;
}

const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

/**
 * Continues `previous` (a finished checksum, 0 to begin) over `bytes[start, end)`.
 * Returns an unsigned 32-bit number. Go's `crc32.Update(previous, castagnoli, bytes)`.
 */
export function crc32c(previous: number, bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = ~previous;
  let i = start;
  for (const last = end - 7; i < last; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc =
      T7[crc & 0xff]! ^
      T6[(crc >>> 8) & 0xff]! ^
      T5[(crc >>> 16) & 0xff]! ^
      T4[crc >>> 24]! ^
      T3[bytes[i + 4]!]! ^
      T2[bytes[i + 5]!]! ^
      T1[bytes[i + 6]!]! ^
      T0[bytes[i + 7]!]!;
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ T0[(crc ^ bytes[i]!) & 0xff]!;
  return ~crc >>> 0;
}
