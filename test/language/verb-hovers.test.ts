/** A hover on a step tells the real call: its structure and flags, or the file. */
import { describe, expect, test } from 'vitest';
import { verbText } from '../../language/index.js';
import { UAPI_CALLS, uapiCallsOf } from '../../server/simulator/scenario/verbs-uapi.js';
import { VERBS } from '../../server/simulator/scenario/verbs.js';

const IOCTL = /\b(?:VFIO|IOMMU|KVM)_[A-Z0-9_]+\b/g;
/** Operations inside of a structure, and device types: the ioctl around them is what has a row. */
const NO_IOCTL = /^IOMMU_TEST_OP_|^KVM_DEV_TYPE_/;

describe('every verb that is an ioctl', () => {
  const ioctls = VERBS.flatMap((verb) => (verb.call.match(IOCTL) ?? []).filter((name) => !NO_IOCTL.test(name)).map((name) => [verb.verb, name, verb] as const));

  test('there are many', () => expect(ioctls.length).toBeGreaterThan(45));

  test.each(ioctls)('%s names %s with its structure', (_verb, name, verb) => {
    const call = UAPI_CALLS[name];
    expect(call?.argument).toMatch(/^struct \w+|^no argument$|^int|^char \*|^the number/);
    expect(verbText(verb)).toContain(`\`${name}\`: `);
    expect(verbText(verb)).toContain(`\`${call!.argument}\``);
  });
});

test.each(VERBS.filter((verb) => /^(?:echo|cat|readlink|mkdir)\b/.test(verb.call)).map((verb) => [verb.verb, verb.call]))('%s names its file', (_verb, call) => {
  expect(call).toMatch(/\/(?:sys|proc)\/[\w/.]+/);
});

test.each(VERBS.filter((verb) => verb.call.startsWith('open(')).map((verb) => [verb.verb, verb.call]))('%s names what it opens', (_verb, call) => expect(call).toMatch(/^open\("\/dev\/[\w/]+"\)$/));

test('every row is the call of some verb', () => {
  const used = new Set(VERBS.flatMap((verb) => uapiCallsOf(verb.call)));
  expect(Object.keys(UAPI_CALLS).filter((name) => !used.has(name))).toEqual([]);
});

test('a map tells the structures of both worlds', () => {
  const text = verbText(VERBS.find((verb) => verb.verb === 'map')!);
  expect(text).toContain("`VFIO_IOMMU_MAP_DMA`: `_IO(';', 113)`, `struct vfio_iommu_type1_dma_map`; flags, vaddr, iova, size; flags READ 1, WRITE 2, VADDR 4");
  expect(text).toContain("`IOMMU_IOAS_MAP`: `_IO(';', 0x85)`, `struct iommu_ioas_map`");
});
