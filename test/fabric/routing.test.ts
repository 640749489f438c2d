/** The way of memory requests (sections 1.3 and 1.4 of the x86 specification). */
import { describe, expect, test } from 'vitest';
import type { FunctionDescription } from '../../server/simulator/description.js';
import { AcsBit, forwardsUpstream, ingressViolation, peerDecision, type AcsRegister, type AddressKind } from '../../server/simulator/fabric/acs.js';
import { Fabric, USUAL_ROOT_COMPLEX } from '../../server/simulator/fabric/fabric.js';
import { decodeAddress, routeRequest, type MemoryRequest, type Route } from '../../server/simulator/fabric/routing.js';
import type { HopEvent, TraceEvent } from '../../server/simulator/trace/events.js';
import { bar, downstreamPort, endpoint, form, host, integrated, OFF, ON, pci, pcieToPci, rootPort, upstreamPort, type Node, type Setting } from './sample-host.js';

const GIB = 0x4000_0000n;
const A = 0x1_0000_0000n;
const B = 0x2_0000_0000n;

interface Sent {
  readonly route: Route;
  /** "device 01:00.0", "port 00:01.0 redirected" … */
  readonly hops: readonly string[];
}

function send(nodes: readonly Node[], from: string, address: bigint, more: Partial<MemoryRequest> = {}, setting?: Setting, policy = USUAL_ROOT_COMPLEX): Sent {
  const formed = form(host(nodes, setting));
  const fabric = new Fabric(formed.topology, formed.acs, formed.units, formed.aliases, policy);
  const events: TraceEvent[] = [];
  const request: MemoryRequest = { source: formed.topology.byId(from)!, address, access: 'write', addressType: 'untranslated', ...more };
  const route = routeRequest(fabric, request, { push: (event) => void events.push(event) });
  expect(routeRequest(fabric, request, null)).toEqual(route);
  return { route, hops: events.map((event) => `${(event as HopEvent).at}${event.subject ? ` ${event.subject}` : ''}${event.verdict === 'continue' ? '' : ` ${event.verdict}`}`) };
}

const reaches = (sent: Sent): string => (sent.route.at === 'peer' ? `peer ${sent.route.function.id} bar ${sent.route.bar.index} + 0x${sent.route.offset.toString(16)}` : sent.route.at);

const gpus = (acs: FunctionDescription['acs'], root: FunctionDescription['acs'] = ON): Node[] => [
  rootPort('00:01.0', { acs: root }, upstreamPort('01:00.0', {}, downstreamPort('02:00.0', { acs }, endpoint('03:00.0', { bars: [bar(0, A, GIB, true)] })), downstreamPort('02:01.0', { acs }, endpoint('04:00.0', { bars: [bar(0, B, GIB, true)] })))),
];

describe('a switch', () => {
  test('without ACS a peer is reached past the IOMMU (PCIE-21, PCIE-26, PCIE-31)', () => {
    const sent = send(gpus('none'), '03:00.0', B + 0x40n);
    expect(reaches(sent)).toBe('peer 04:00.0 bar 0 + 0x40');
    expect(sent.hops).toEqual(['device 03:00.0', 'port 02:00.0 bypass', 'peer 04:00.0 bypass']);
  });

  test('with redirection it goes up, and the root port forwards it to the IOMMU (PCIE-31, PCIE-36, PCIE-37)', () => {
    const sent = send(gpus(ON), '03:00.0', B);
    expect(sent.route).toMatchObject({ at: 'unit', requesterId: 0x0300 });
    expect(sent.hops).toEqual(['device 03:00.0', 'port 02:00.0 redirected', 'port 01:00.0', 'port 00:01.0 redirected', 'root-complex']);
  });

  test('the root port does not forward it without UF (PCIE-37)', () => {
    expect(reaches(send(gpus(ON, OFF), '03:00.0', B))).toBe('unsupported-request');
  });

  test('an address of nobody below goes up to the unit (PCIE-24)', () => {
    expect(reaches(send(gpus('none', 'none'), '03:00.0', 0x1000n))).toBe('unit');
  });

  test('nobody answers inside a described window (PCIE-20, PCIE-22)', () => {
    const windows = [{ range: { start: B, last: B + 4n * GIB - 1n } as Node['fn']['windows'][number]['range'], prefetchable: true }];
    const nodes = [rootPort('00:01.0', { acs: ON }, upstreamPort('01:00.0', {}, downstreamPort('02:00.0', {}, endpoint('03:00.0')), downstreamPort('02:01.0', { windows }, endpoint('04:00.0', { bars: [bar(0, B, GIB, true)] }))))];
    expect(reaches(send(nodes, '03:00.0', B + 2n * GIB))).toBe('unsupported-request');
    expect(reaches(send(nodes, '03:00.0', B + 4n * GIB))).toBe('unit');
  });

  test('its own memory is an internal target (PCIE-21)', () => {
    const nodes = [rootPort('00:01.0', { acs: ON }, upstreamPort('01:00.0', { bars: [bar(0, 0xf000_0000n, 0x1000n)] }, downstreamPort('02:00.0', { acs: ON }, endpoint('03:00.0'))))];
    expect(reaches(send(nodes, '03:00.0', 0xf000_0010n))).toBe('peer 01:00.0 bar 0 + 0x10');
  });
});

describe('checks at the first port', () => {
  test('a forged requester ID (PCIE-30, PCIE-34)', () => {
    const sent = send(gpus(ON), '03:00.0', 0x1000n, { requesterId: 0x0400 });
    expect(sent.route).toMatchObject({ at: 'blocked', port: { id: '02:00.0' } });
    expect(sent.hops.at(-1)).toBe('port 02:00.0 blocked');
    expect(send(gpus('none', 'none'), '03:00.0', 0x1000n, { requesterId: 0x0400 }).route).toMatchObject({ at: 'unit', requesterId: 0x0400 });
  });

  test('translated requests where translation is blocked (PCIE-11)', () => {
    const blocking = { commandLine: 'pci=noats' };
    expect(reaches(send(gpus(ON), '03:00.0', 0x1000n, { addressType: 'translated' }, blocking))).toBe('blocked');
    expect(reaches(send(gpus(ON), '03:00.0', 0x1000n, { addressType: 'translation-request' }, blocking))).toBe('blocked');
    expect(reaches(send(gpus(ON), '03:00.0', 0x1000n, {}, blocking))).toBe('unit');
  });
});

describe('decisions of one port', () => {
  const { requestRedirect: RR, egressControl: EC, directTranslated: DT, sourceValidation: SV, translationBlocking: TB, upstreamForwarding: UF } = AcsBit;
  const way = (control: number, addressKind: AddressKind = 'untranslated', egressVector = 0): string => peerDecision({ capability: 0x7f, control, egressVector }, addressKind, 3).way;

  test('the table of redirect and egress control (PCIE-31)', () => {
    const forbidden = 1 << 3;
    expect([way(0), way(RR), way(EC), way(EC, 'untranslated', forbidden), way(RR | EC), way(RR | EC, 'untranslated', forbidden)])
      .toEqual(['direct', 'redirected', 'direct', 'violation', 'direct', 'redirected']);
    expect(way(EC, 'untranslated', 1 << 4)).toBe('direct');
  });

  test('direct translated requests ignore both (PCIE-32); translation requests do not (PCIE-33)', () => {
    expect(way(RR | EC | DT, 'translated', 0xff)).toBe('direct');
    expect(way(RR | DT, 'translation-request')).toBe('redirected');
    expect(way(RR, 'translated')).toBe('redirected');
  });

  test('source validation comes before translation blocking (PCIE-30)', () => {
    const register: AcsRegister = { capability: 0x7f, control: SV | TB | DT };
    expect(ingressViolation(register, 'translated', false)?.because).toContain('SV');
    expect(ingressViolation(register, 'translated', true)?.because).toContain('TB');
    expect(ingressViolation(register, 'untranslated', true)).toBeNull();
    expect(ingressViolation(null, 'translated', false)).toBeNull();
  });

  test('forwarding upstream (PCIE-37)', () => {
    expect([forwardsUpstream(null), forwardsUpstream({ capability: UF, control: 0 }), forwardsUpstream({ capability: UF, control: UF })]).toEqual([false, false, true]);
  });
});

describe('functions of one device', () => {
  const card = (more: Partial<FunctionDescription>, root: FunctionDescription['acs'] = ON): Node[] => [
    rootPort('00:01.0', { acs: root }, endpoint('01:00.0', { bars: [bar(0, A, 0x1000n)], ...more }), endpoint('01:00.1', { bars: [bar(0, A + 0x1000n, 0x1000n)], ...more })),
  ];

  test('without a way inside, the request goes out and the port above sees its own window (PCIE-23, PCIE-37)', () => {
    expect(reaches(send(card({}), '01:00.0', A + 0x1000n))).toBe('unit');
    expect(reaches(send(card({}, 'none'), '01:00.0', A + 0x1000n))).toBe('unsupported-request');
  });

  test('with one it never leaves, unless the function redirects (PCIE-23, PCIE-38)', () => {
    expect(reaches(send(card({ internalPeerToPeer: true }), '01:00.0', A + 0x1008n))).toBe('peer 01:00.1 bar 0 + 0x8');
    const redirecting = send(card({ internalPeerToPeer: true, acs: ON }), '01:00.0', A + 0x1008n);
    expect(redirecting.hops.slice(0, 2)).toEqual(['device 01:00.0', 'port 01:00.0 redirected']);
    expect(reaches(redirecting)).toBe('unit');
  });
});

describe('conventional buses', () => {
  const nodes = [rootPort('00:01.0', { acs: ON }, pcieToPci('01:00.0', {}, pci('02:01.0'), pci('02:02.0', { bars: [bar(0, 0xf000_0000n, 0x1000n)] })))];

  test('everybody on one sees the address (PCIE-38)', () => {
    expect(reaches(send(nodes, '02:01.0', 0xf000_0000n))).toBe('peer 02:02.0 bar 0 + 0x0');
  });

  test('what passes the bridge has its requester ID (PCIE-04)', () => {
    expect(send(nodes, '02:01.0', 0x1000n).route).toMatchObject({ at: 'unit', requesterId: 0x0200 });
  });

  test('what the bridge passes downwards and nobody takes (PCIE-20)', () => {
    expect(reaches(send(nodes, '02:01.0', 0xf000_1000n))).toBe('unsupported-request');
  });
});

describe('the root complex', () => {
  const nodes = [rootPort('00:01.0', {}, endpoint('01:00.0')), rootPort('00:02.0', {}, endpoint('02:00.0', { bars: [bar(0, B, GIB)] })), integrated('00:14.0', { bars: [bar(0, 0xf000_0000n, 0x1_0000n)] })];

  test('gives peer requests to the IOMMU first (PCIE-24), or takes a direct way where the platform has one and nothing redirects', () => {
    expect(reaches(send(nodes, '01:00.0', B))).toBe('unit');
    const direct = { ...USUAL_ROOT_COMPLEX, directPeers: true };
    expect(reaches(send(nodes, '01:00.0', B, {}, {}, direct))).toBe('peer 02:00.0 bar 0 + 0x0');
    expect(reaches(send([rootPort('00:01.0', { acs: ON }, endpoint('01:00.0')), nodes[1]!], '01:00.0', B, {}, {}, direct))).toBe('unit');
  });

  test('without an IOMMU the address is what it is (PCIE-35)', () => {
    expect(send(nodes, '01:00.0', B, {}, { iommus: [] }).route).toEqual({ at: 'root-complex', requesterId: 0x0100 });
  });

  test('decodes RAM, BARs and holes (PCIE-25)', () => {
    const formed = form(host(nodes));
    const memory = [{ start: 0n, last: 0x9_ffffn }, { start: 0x10_0000n, last: 0x7fff_ffffn }];
    const decode = (address: bigint, policy = USUAL_ROOT_COMPLEX): string => {
      const found = decodeAddress(new Fabric(formed.topology, formed.acs, formed.units, formed.aliases, policy), memory, address);
      return found.at === 'peer' ? `${found.function.id} + 0x${found.offset.toString(16)}` : found.at;
    };
    expect([0n, 0x9_ffffn, 0x7fff_ffffn].map((address) => decode(address))).toEqual(['memory', 'memory', 'memory']);
    expect([0xa_0000n, 0x8000_0000n, B + GIB, 0xffff_ffff_ffff_ffffn].map((address) => decode(address))).toEqual(Array(4).fill('nowhere'));
    expect([decode(B + 5n), decode(0xf000_ffffn)]).toEqual(['02:00.0 + 0x5', '00:14.0 + 0xffff']);
    expect(decode(B, { ...USUAL_ROOT_COMPLEX, peersAfterTranslation: false })).toBe('nowhere');
  });

  test('sees what is behind VMD as the endpoint (ALI-02)', () => {
    const behind = { behindVmd: '00:0e.0' };
    const vmd = [integrated('00:0e.0'), rootPort('10000:e0:06.0', { acs: ON, ...behind }, endpoint('10000:e1:00.0', behind))];
    const sent = send(vmd, '10000:e1:00.0', 0x1000n);
    expect(sent.route).toMatchObject({ at: 'unit', requesterId: 0x0070 });
    expect(sent.hops).toEqual(['device 10000:e1:00.0', 'port 10000:e0:06.0', 'device 00:0e.0', 'root-complex']);
  });
});

describe('windows', () => {
  const fabricOf = (...nodes: Node[]): Fabric => {
    const formed = form(host(nodes));
    return new Fabric(formed.topology, formed.acs, formed.units, formed.aliases);
  };

  test('are computed from the BARs below in steps of 1 MiB, one for each kind (PCIE-20)', () => {
    const fabric = fabricOf(rootPort('00:01.0', {}, upstreamPort('01:00.0', {}, downstreamPort('02:00.0', {}, endpoint('03:00.0', { bars: [bar(0, 0xf010_0000n, 0x1000n), bar(1, A, GIB, true), bar(3, 0xf030_0000n, 0x10n)] })))));
    for (const port of ['00:01.0', '01:00.0', '02:00.0']) {
      expect(fabric.addresses.windows(fabric.topology.byId(port)!)).toEqual([{ start: 0xf010_0000n, last: 0xf03f_ffffn }, { start: A, last: A + GIB - 1n }]);
    }
  });

  test('are closed where nothing is below', () => {
    const fabric = fabricOf(rootPort('00:01.0'));
    expect(fabric.addresses.windows(fabric.topology.byId('00:01.0')!)).toEqual([]);
  });

  test('overlapping BARs: the first enumerated answers', () => {
    const fabric = fabricOf(endpoint('01:00.0', { bars: [bar(0, 0x1000n, 0x1000n)] }), endpoint('02:00.0', { bars: [bar(0, 0n, 0x10_0000n)] }));
    expect([0x1800n, 0x2000n, 0xf_ffffn].map((address) => fabric.addresses.claim(address)?.fn.id)).toEqual(['01:00.0', '02:00.0', '02:00.0']);
    expect(fabric.addresses.claim(0x10_0000n)).toBeNull();
  });
});
