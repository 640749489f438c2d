/** A simulation as the server sends it: one DMA of each outcome, one scenario, all in one small file. */
import type { ActionView, PathNodeView, PlaceView, SimulationView, TraceStepView } from '../../../server/protocol.js';

const step = (kind: TraceStepView['kind'], text: string, verdict: string, rest: Partial<TraceStepView> = {}): TraceStepView => ({ kind, text, verdict, rules: [], ...rest });
const node = (kind: PathNodeView['kind'], label: string, verdict: string, steps: readonly number[], place?: PlaceView): PathNodeView => ({ kind, label, verdict, steps, place });

/** Place of a whole line. */
const lineOf = (uri: string, line: number, length = 60): PlaceView => ({ uri, range: { start: { line, character: 0 }, end: { line, character: length } } });

const deviceTableEntry = step('read', 'The device table entry of 01:00.0 is valid and names a 4-level page table.', 'continue', {
  entry: 'device table entry', stage: 'device', address: '0x1002000', index: 0x100, rules: ['AMD-10'], permission: 'rw',
  words: ['0x6000000001003603', '0x000000000000000e', '0x0', '0x0'],
  fields: [
    { name: 'V', bits: 'q0 0', value: '0x1', meaning: 'the entry is valid' },
    { name: 'TV', bits: 'q0 1', value: '0x1', meaning: 'translation information is valid' },
    { name: 'Mode', bits: 'q0 11:9', value: '0x3', meaning: '3 levels' },
    { name: 'Host page table', bits: 'q0 51:12', value: '0x1003' },
    { name: 'IR', bits: 'q0 61', value: '0x1', meaning: 'reads are permitted' },
    { name: 'IW', bits: 'q0 62', value: '0x1', meaning: 'writes are permitted' },
    { name: 'DomainID', bits: 'q1 15:0', value: '0xe' },
  ],
});

const pageEntry = (level: number, address: string, word: string, meaning: string, permission = 'rw'): TraceStepView =>
  step('read', `Level ${level} entry 0 ${meaning}.`, 'continue', {
    entry: `level ${level} entry`, stage: 'stage 1', level, index: 0, address, words: [word], permission, rules: ['AMD-21'],
    fields: [
      { name: 'PR', bits: '0', value: word === '0x0' ? '0x0' : '0x1', meaning: word === '0x0' ? 'not present' : 'present' },
      { name: 'NextLevel', bits: '11:9', value: `0x${level - 1}`, meaning: level === 1 ? 'this is a page' : `a table of level ${level - 1}` },
      { name: 'Address', bits: '51:12', value: '0x1004' },
      { name: 'IR', bits: '61', value: '0x1' },
      { name: 'IW', bits: '62', value: permission === 'r-' ? '0x0' : '0x1' },
    ],
  });

/** A simulation of the file `uri`, whose statements are taken to be on fixed lines. */
export function sampleSimulation(uri: string): SimulationView {
  const at = (line: number, length?: number) => lineOf(uri, line, length);
  const gpu = at(8, 22), port = at(6, 18), unit = at(4, 18);
  const leave = step('hop', 'gpu (01:00.0) writes 64 bytes to 0x1000.', 'continue', { place: gpu, address: '0x1000', rules: ['PCIE-30'] });
  const upstream = step('hop', 'slot1 forwards it upstream: Source Validation accepts requester 01:00.0.', 'continue', { place: port, address: '0x1000', rules: ['PCIE-31'] });
  const enter = step('hop', 'ivhd0 looks up requester 01:00.0.', 'continue', { place: unit, address: '0x1000' });

  const translated: ActionView = {
    id: 'dma:0', kind: 'dma', text: 'dma gpu write 0x1000 size 64', place: at(19, 44), result: 'memory', good: true, address: '0x140001000', messages: [],
    expectation: { met: true, expected: 'ok', actual: 'ok' },
    path: [
      node('device', 'gpu', 'continue', [0], gpu), node('port', 'slot1', 'continue', [1], port),
      node('unit', 'ivhd0', 'continue', [2, 3, 4, 5, 6], unit), node('memory', 'RAM of win11', 'done', [7]),
    ],
    trace: [
      leave, upstream, enter, deviceTableEntry,
      pageEntry(3, '0x1003000', '0x6000000001004401', 'points to the table at 0x1004000'),
      pageEntry(2, '0x1004000', '0x6000000001005201', 'points to the table at 0x1005000'),
      pageEntry(1, '0x1005008', '0x6000000140001001', 'maps the page 0x140001000'),
      step('hop', 'The write arrives at 0x140001000, in the memory of win11.', 'done', { address: '0x140001000' }),
    ],
  };
  const log = 'vfio-pci 0000:01:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000e address=0x7f0000000000 flags=0x0020]';
  const faulted: ActionView = {
    id: 'dma:1', kind: 'dma', text: 'dma gpu write 0x7f00_0000_0000 size 64', place: at(20, 54), result: 'fault', good: false, messages: [log],
    fault: { code: '0x2', name: 'IO_PAGE_FAULT' }, expectation: { met: false, expected: 'ok', actual: 'fault 0x2' },
    path: [
      node('device', 'gpu', 'continue', [0], gpu), node('port', 'slot1', 'continue', [1], port),
      node('unit', 'ivhd0', 'fault', [2, 3, 4, 5], unit), node('nowhere', 'aborted', 'fault', []),
    ],
    trace: [
      { ...leave, text: 'gpu (01:00.0) writes 64 bytes to 0x7f0000000000.', address: '0x7f0000000000' }, upstream, enter, deviceTableEntry,
      pageEntry(3, '0x10037f0', '0x0', 'is not present', '--'),
      step('fault', 'The walk ends at an entry that is not present.', 'fault', { code: '0x2', rules: ['AMD-40'], messages: [log], place: gpu }),
    ],
  };
  const peer: ActionView = {
    id: 'dma:2', kind: 'dma', text: 'dma gpu0 write 0x6_0000_0000 size 64', place: at(21, 52), result: 'peer', good: true, address: '0x600000000', bypassedIommu: true, messages: [],
    expectation: { met: true, expected: 'peer gpu1', actual: 'peer gpu1' },
    path: [
      node('device', 'gpu0', 'continue', [0]), node('port', 'p0', 'continue', [1], at(13, 22)),
      node('port', 'p1', 'redirected', [2], at(14, 22)), node('peer', 'gpu1', 'bypass', [3]),
    ],
    trace: [
      step('hop', 'gpu0 (19:00.0) writes 64 bytes to 0x600000000.', 'continue', { address: '0x600000000' }),
      step('hop', 'p0 forwards it: without ACS the switch routes by address alone.', 'continue', { rules: ['PCIE-33'], place: at(13, 22) }),
      step('hop', 'The window of p1 contains 0x600000000: the switch turns the request round.', 'redirected', { rules: ['PCIE-34'], place: at(14, 22) }),
      step('hop', 'gpu1 receives it in BAR 0. No IOMMU has seen it.', 'bypass', { address: '0x600000000' }),
    ],
  };
  const interrupt: ActionView = {
    id: 'dma:3', kind: 'dma', text: 'dma gpu write 0xfee0_0000 size 4', place: at(22, 52), result: 'interrupt', good: true, address: '0xfee00000', messages: [],
    path: [node('device', 'gpu', 'continue', [0], gpu), node('port', 'slot1', 'continue', [1], port), node('unit', 'ivhd0', 'continue', [2], unit), node('interrupt', 'interrupt', 'done', [3])],
    trace: [leave, upstream, enter, step('note', 'The address lies in the interrupt window: it is an MSI, not a memory write.', 'done', { rules: ['AMD-50'] })],
  };
  const call = (id: string, text: string, name: string, result: string, line: number, rest: Partial<ActionView> = {}): ActionView =>
    ({ id, kind: 'step', text, call: name, result, good: true, place: at(line), messages: [], path: [], trace: [], ...rest });
  return {
    uri, version: 1, title: 'desk.iommu',
    hosts: [{
      name: 'desk', kernel: '6.12',
      topology: [
        { name: 'slot1', address: '0000:00:01.0', kind: 'port', parent: null, group: 13, place: port },
        { name: 'gpu', address: '0000:01:00.0', kind: 'function', parent: 0, group: 14, place: gpu },
        { name: 'audio', address: '0000:01:00.1', kind: 'function', parent: 0, group: 14, place: at(9, 22) },
        { name: 'slot2', address: '0000:00:02.0', kind: 'port', parent: null, group: 15 },
        { name: 'gpu0', address: '0000:19:00.0', kind: 'function', parent: 3, group: 15 },
        { name: 'gpu1', address: '0000:1a:00.0', kind: 'function', parent: 3, group: 15 },
      ],
      groups: [
        { number: 13, domain: 'identity', uncertain: false, members: [{ name: 'slot1', address: '0000:00:01.0', place: port, node: 0, reasons: [{ text: 'it starts a new group', rules: ['GRP-07'] }] }] },
        { number: 14, domain: 'DMA-FQ', uncertain: false, members: [
          { name: 'gpu', address: '0000:01:00.0', place: gpu, node: 1, reasons: [{ text: 'slot1 has ACS and isolates', rules: ['GRP-04'], node: 0 }, { text: 'it starts a new group', rules: ['GRP-07'] }] },
          { name: 'audio', address: '0000:01:00.1', place: at(9, 22), node: 2, reasons: [{ text: 'slot1 has ACS and isolates', rules: ['GRP-04'], node: 0 }, { text: 'its sibling gpu does not isolate', rules: ['GRP-06'], node: 1 }] },
        ] },
        { number: 15, domain: 'identity', uncertain: true, members: [
          { name: 'slot2', address: '0000:00:02.0', node: 3, reasons: [{ text: 'it starts a new group', rules: ['GRP-07'] }] },
          { name: 'gpu0', address: '0000:19:00.0', node: 4, reasons: [{ text: 'slot2 has no ACS capability: everything below joins its group', rules: ['GRP-12'], node: 3 }] },
          { name: 'gpu1', address: '0000:1a:00.0', node: 5, reasons: [{ text: 'slot2 has no ACS capability: everything below joins its group', rules: ['GRP-12'], node: 3 }] },
        ] },
      ],
    }],
    runs: [
      { name: 'desk', kind: 'host', place: at(1, 11), actions: [
        call('step:0', 'assign gpu to win11', 'VFIO_GROUP_SET_CONTAINER', 'EPERM', 17, {
          good: false, messages: ['vfio-pci 0000:01:00.0: group 14 is not viable'],
          trace: [step('note', 'audio (01:00.1) of the same group is bound to snd_hda_intel.', 'blocked', { rules: ['VFG-12'], place: at(9, 22) })],
        }),
        translated, faulted, peer, interrupt,
        { id: 'never:0', kind: 'never', text: 'never gpu reaches memory of host', place: at(23, 33), result: 'holds', good: true, messages: [], path: [], trace: [] },
      ] },
      { name: '2021: a mediated GPU has no domain', kind: 'scenario', place: at(25, 52), actions: [
        call('step:1', 'open container c', 'open("/dev/vfio/vfio")', 'ok', 26),
        call('step:2', 'set-container m to c', 'VFIO_GROUP_SET_CONTAINER', 'ok', 27),
        call('step:3', 'map c iova 0xfee0_0000 size 4KiB', 'VFIO_IOMMU_MAP_DMA', 'ok', 28, { expectation: { met: true, expected: 'ok', actual: 'ok' } }),
        call('step:4', 'set-container g to c', 'VFIO_GROUP_SET_CONTAINER', 'EINVAL', 29, {
          expectation: { met: true, expected: 'EINVAL', actual: 'EINVAL' }, messages: ['vfio-pci 0000:01:00.0: the mapping at 0xfee00000 overlaps the MSI window'],
          trace: [step('note', 'vfio_iommu_resv_exclude finds the mapping 0xfee00000 in the reserved window.', 'blocked', { rules: ['VFT-11'] })],
        }),
      ] },
    ],
  };
}

/** As many DMA actions and trace steps as wanted, for the limits of the view. */
export function largeSimulation(uri: string, actions: number, stepsInFirst: number): SimulationView {
  const sample = sampleSimulation(uri);
  const dma = sample.runs[0]!.actions.find(({ id }) => id === 'dma:0')!;
  const long = Array.from({ length: stepsInFirst }, (_, index) => ({ ...dma.trace[index % dma.trace.length]!, text: `Step ${index + 1} of ${stepsInFirst}.` }));
  const many = Array.from({ length: actions }, (_, index): ActionView => ({ ...dma, id: `dma:${index}`, text: `dma gpu write 0x${(index * 4096).toString(16)} size 64` }));
  many[0] = { ...many[0]!, trace: long };
  return { ...sample, runs: [{ name: 'many', kind: 'host', actions: many }] };
}
