/** Steps of iommufd's own tests (`CONFIG_IOMMUFD_TEST`): devices without hardware behind them, and looks behind the kernel's back (CNF-01). */
import type { OperandKind, OperandSpec, VerbSpec } from './verbs.js';

const at = (role: string, kind: OperandKind, doc: string): OperandSpec => ({ role, kind, doc });
const key = (word: string, kind: OperandKind, doc: string, role = word): OperandSpec => ({ role, kind, key: word, doc });
const may = (spec: OperandSpec): OperandSpec => ({ ...spec, optional: true });

const NAME = 'its name from here on';
const op = (name: string): string => `IOMMU_TEST_CMD, IOMMU_TEST_OP_${name}`;
const DEVICE = at('device', 'mock-device', 'the test device');
const ACCESS = at('access', 'test-access', 'the access');
const TO_TABLE = key('to', 'ioas|hwpt|mock-device|number', 'what it translates through', 'target');
const PASID = key('pasid', 'number', 'the PASID');
const IOVA = key('iova', 'number', 'first I/O virtual address');
const SIZE = key('size', 'size', 'bytes');
const IN_FD = key('in', 'iommufd', 'the context', 'iommufd');

export const SELFTEST_VERBS: readonly VerbSpec[] = [
  { verb: 'mock-domain', call: op('MOCK_DOMAIN'), doc: 'Makes a test device in a group of its own, binds it and attaches it. `destroy` undoes all three.', operands: [at('handle', 'new mock-device', NAME), key('on', 'ioas|hwpt|mock-device|number', 'what it translates through', 'target'), may(IN_FD)], flags: ['no-dirty', 'pasids'], rules: ['CNF-01', 'CNF-02', 'CNF-03'], example: 'mock-domain m on A' },
  { verb: 'mock-replace', call: op('MOCK_DOMAIN_REPLACE'), doc: 'Exchanges what a test device translates through.', operands: [DEVICE, TO_TABLE], flags: [], rules: ['IFD-50', 'CNF-02'], example: 'mock-replace m to H' },
  { verb: 'mock-pasid-attach', call: op('PASID_ATTACH'), doc: 'Attaches a PASID of a test device.', operands: [DEVICE, TO_TABLE, PASID], flags: [], rules: ['PAS-03', 'PAS-06'], example: 'mock-pasid-attach m to H pasid 100' },
  { verb: 'mock-pasid-replace', call: op('PASID_REPLACE'), doc: 'Exchanges what a PASID of a test device translates through.', operands: [DEVICE, TO_TABLE, PASID], flags: [], rules: ['PAS-06', 'PAS-07'], example: 'mock-pasid-replace m to H pasid 100' },
  { verb: 'mock-pasid-detach', call: op('PASID_DETACH'), doc: 'Detaches a PASID of a test device.', operands: [DEVICE, PASID], flags: [], rules: ['PAS-06'], example: 'mock-pasid-detach m pasid 100' },
  { verb: 'mock-pasid-check', call: op('PASID_CHECK_HWPT'), doc: 'Is that page table on the PASID? 0 means none.', operands: [DEVICE, TO_TABLE, PASID], flags: [], rules: ['PAS-06'], example: 'mock-pasid-check m to H pasid 100' },
  { verb: 'mock-reserved', call: op('ADD_RESERVED'), doc: 'Reserves addresses of an IOAS as a device would.', operands: [at('target', 'ioas|number', 'the IOAS'), IOVA, SIZE], flags: [], rules: ['IOP-05', 'IOP-06'], example: 'mock-reserved A iova 0x1000 size 4KiB' },
  { verb: 'mock-check-map', call: op('MD_CHECK_MAP'), doc: 'Does a page table of the test unit lead to that memory of the process?', operands: [at('handle', 'hwpt', 'the page table'), IOVA, SIZE, key('from', 'memory', 'the memory', 'memory')], flags: [], rules: ['IOP-30'], example: 'mock-check-map H iova 0x100_0000 size 4KiB from ram' },
  { verb: 'mock-dirty', call: op('DIRTY'), doc: 'Pages of a page table of the test unit count as written to. The value is how many were mapped.', operands: [at('handle', 'hwpt', 'the page table'), IOVA, SIZE, may(key('page', 'size', 'bytes of a page, 2 KiB unless said'))], flags: [], rules: ['IFD-71'], example: 'mock-dirty H iova 0x100_0000 size 64KiB' },
  { verb: 'mock-access', call: op('CREATE_ACCESS'), doc: 'What a mediating driver has: an access to an IOAS, behind a file. `copies-only` pins nothing.', operands: [at('handle', 'new test-access', NAME), key('on', 'ioas|hwpt|number', 'the IOAS', 'target'), may(IN_FD)], flags: ['copies-only'], rules: ['ACC-01', 'ACC-02'], example: 'mock-access a on A' },
  { verb: 'mock-access-replace', call: op('ACCESS_REPLACE_IOAS'), doc: 'Moves an access to another IOAS; what it had pinned is let go.', operands: [ACCESS, key('to', 'ioas|number', 'the IOAS', 'target')], flags: [], rules: ['ACC-03'], example: 'mock-access-replace a to B' },
  { verb: 'mock-pin', call: op('ACCESS_PAGES'), doc: 'Pins pages through an access. The value is the number to let go by.', operands: [ACCESS, IOVA, SIZE], flags: ['w'], rules: ['ACC-10', 'ACC-12'], example: 'mock-pin a iova 0x100_0000 size 4KiB' },
  { verb: 'mock-unpin', call: op('DESTROY_ACCESS_PAGES'), doc: 'Lets go what was pinned under a number.', operands: [ACCESS, key('entry', 'number', 'as `mock-pin` gave it')], flags: [], rules: ['ACC-13'], example: 'mock-unpin a entry 0' },
  { verb: 'mock-rw', call: op('ACCESS_RW'), doc: 'Copies by the CPU through an access.', operands: [ACCESS, IOVA, SIZE], flags: ['r', 'w'], rules: ['ACC-11'], example: 'mock-rw a iova 0x100_0000 size 64 w' },
  { verb: 'mock-check-iotlb', call: op('MD_CHECK_IOTLB'), doc: 'Is that what an IOTLB entry of a nested page table says?', operands: [at('handle', 'hwpt', 'the nested page table'), key('entry', 'number', '0 to 3'), key('value', 'number', 'what it should say')], flags: [], rules: ['CNF-04', 'IFD-72'], example: 'mock-check-iotlb N entry 0 value 0' },
  { verb: 'mock-check-cache', call: op('DEV_CHECK_CACHE'), doc: 'Is that what a cache entry of a test device says?', operands: [DEVICE, key('entry', 'number', '0 to 3'), key('value', 'number', 'what it should say')], flags: [], rules: ['CNF-04', 'IFD-72'], example: 'mock-check-cache m entry 0 value 0' },
  { verb: 'mock-fault', call: op('TRIGGER_IOPF'), doc: 'A test device asks for a page.', operands: [DEVICE, key('at', 'number', 'the address', 'address'), may(PASID)], flags: [], rules: ['IFD-75'], example: 'mock-fault m at 0x1000' },
  { verb: 'mock-event', call: op('TRIGGER_VEVENT'), doc: 'Something happens to a test device, which its vIOMMU reports.', operands: [DEVICE], flags: [], rules: ['IFD-84'], example: 'mock-event m' },
  { verb: 'mock-dma-buffer', call: op('DMABUF_GET'), doc: 'A buffer that a driver exports (a dma-buf).', operands: [at('handle', 'new memfd', NAME), SIZE, IN_FD], flags: [], rules: ['IFD-19'], example: 'mock-dma-buffer b size 64KiB in fd' },
  { verb: 'mock-revoke', call: op('DMABUF_REVOKE'), doc: 'The exporter takes a buffer back, or with `back` gives it out again.', operands: [at('handle', 'memfd', 'the buffer'), IN_FD], flags: ['back'], rules: ['IFD-19'], example: 'mock-revoke b in fd' },
];
