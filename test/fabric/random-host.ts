/** Random but well-formed trees of functions, for properties. */
import fc from 'fast-check';
import type { AcsDescription, FunctionDescription, FunctionType, HostDescription, PciAddress } from '../../server/simulator/description.js';
import { host, node } from './sample-host.js';

interface Seed {
  readonly type: number;
  readonly functions: number;
  readonly acs: readonly number[];
  readonly quirk: number;
  readonly alias: number;
  readonly children: readonly Seed[];
}

const ACS: readonly (AcsDescription | 'none' | 'unknown')[] = [
  'none', { capability: 0x1f, firmwareControl: 0 }, { capability: 0x1f, firmwareControl: 0, control: 0x0d }, { capability: 0, firmwareControl: 0 }, { capability: 0x5f, firmwareControl: 0, control: 0 },
];

/** Nothing, a card that isolates its functions, one that sends as function 1, one that may use any devfn, an Intel device without opinion. */
const IDS: readonly FunctionDescription['ids'][] = [undefined, { vendor: 0x8086, device: 0x1521 }, { vendor: 0x1b4b, device: 0x9230 }, { vendor: 0x10b5, device: 0x87b0 }, { vendor: 0x8086, device: 0x1234 }];

/** What may be below: an upstream port below a port, a downstream port below that, conventional functions below a conventional bridge. */
const BELOW: Readonly<Partial<Record<FunctionType, readonly FunctionType[]>>> = {
  'root-port': ['endpoint', 'upstream-port', 'pcie-to-pci-bridge', 'endpoint'],
  'downstream-port': ['endpoint', 'upstream-port', 'pcie-to-pci-bridge', 'endpoint'],
  'upstream-port': ['downstream-port', 'downstream-port', 'endpoint', 'downstream-port'],
  'pcie-to-pci-bridge': ['pci', 'pci-bridge', 'pci', 'pci-to-pcie-bridge'],
  'pci-bridge': ['pci', 'pci-bridge', 'pci', 'pci'],
  'pci-to-pcie-bridge': ['endpoint', 'upstream-port', 'endpoint', 'endpoint'],
};
const ON_ROOT: readonly FunctionType[] = ['root-port', 'integrated-endpoint', 'pci-bridge', 'pci'];

const seeds = fc.letrec<{ seed: Seed; seeds: Seed[] }>((tie) => ({
  seed: fc.record({
    type: fc.nat(3), functions: fc.integer({ min: 1, max: 3 }), acs: fc.tuple(fc.nat(4), fc.nat(4), fc.nat(4)), quirk: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(4) }),
    alias: fc.oneof({ weight: 9, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.nat(31) }), children: tie('seeds'),
  }),
  seeds: fc.oneof({ maxDepth: 4, withCrossShrink: true }, { weight: 1, arbitrary: fc.constant<Seed[]>([]) }, { weight: 3, arbitrary: fc.array(tie('seed'), { minLength: 1, maxLength: 3 }) }),
}));

/** Gives bus numbers depth first and addresses slot by slot. */
class Builder {
  readonly functions: FunctionDescription[] = [];
  private nextBus = 1;

  add(children: readonly Seed[], types: readonly FunctionType[], bus: number, upstream: string | null): void {
    children.forEach((seed, device) => {
      const type = types[seed.type]!;
      const numbers = Array.from({ length: seed.functions }, (_, number) => ({ segment: 0, bus, device, function: number }));
      const placed = numbers.map((address, number) => this.place(seed, type, address, number, upstream));
      if (type === 'endpoint' && seed.functions === 2) this.addVirtual(placed[0]!, bus, device, upstream);
      if (BELOW[type] && seed.children.length > 0) {
        const [first] = placed;
        this.add(seed.children, BELOW[type], this.nextBus++, first!);
      }
    });
  }

  /** Two virtual functions far up on the bus of their physical function. */
  private addVirtual(of: string, bus: number, device: number, upstream: string | null): void {
    for (const index of [0, 1]) {
      const id = `f${this.functions.length}`;
      const { fn } = node('endpoint', '00:00.0', { virtualFunction: { of, index } });
      this.functions.push({ ...fn, id, name: id, address: { segment: 0, bus, device: 16 + device, function: index }, upstream });
    }
  }

  private place(seed: Seed, type: FunctionType, address: PciAddress, number: number, upstream: string | null): string {
    const id = `f${this.functions.length}`;
    const { fn } = node(type, '00:00.0', { acs: ACS[seed.acs[number]!]!, ids: IDS[seed.quirk]!, extraAliases: seed.alias < 0 ? [] : [seed.alias] });
    this.functions.push({ ...fn, id, name: id, address, upstream });
    return id;
  }
}

/** Hosts of up to some hundred functions. */
export const randomHosts: fc.Arbitrary<HostDescription> = fc.array(seeds.seed, { minLength: 1, maxLength: 5 }).map((roots) => {
  const builder = new Builder();
  builder.add(roots, ON_ROOT, 0, null);
  return { ...host([]), functions: builder.functions };
});
