/** Unpacks a .vsix (a ZIP file without encryption, below 4 GiB): enough for what vsce writes. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { inflateRawSync } from 'node:zlib';

const END_OF_DIRECTORY = 0x06054b50;
const DEFLATED = 8;

/** Writes the entries whose names begin with `prefix` into `folder`, without the prefix. */
export function unzip(archive, prefix, folder) {
  const bytes = readFileSync(archive);
  for (const { name, method, from, size } of entriesOf(bytes)) {
    if (!name.startsWith(prefix) || name.endsWith('/')) continue;
    const packed = bytes.subarray(from, from + size);
    const file = join(folder, normalize(`/${name.slice(prefix.length)}`));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, method === DEFLATED ? inflateRawSync(packed) : packed);
  }
}

function* entriesOf(bytes) {
  let end = bytes.length - 22;
  while (end >= 0 && bytes.readUInt32LE(end) !== END_OF_DIRECTORY) end -= 1;
  if (end < 0) throw new Error('This is not a ZIP file.');
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left -= 1) {
    const nameLength = bytes.readUInt16LE(at + 28);
    const local = bytes.readUInt32LE(at + 42);
    yield {
      name: bytes.toString('utf8', at + 46, at + 46 + nameLength),
      method: bytes.readUInt16LE(at + 10),
      size: bytes.readUInt32LE(at + 20),
      from: local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28),
    };
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
}
