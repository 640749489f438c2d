/**
 * Random sequences of calls: nothing but refusals is thrown, every domain shows what its IOAS says, no group has two owners,
 * nothing stays behind when all files are closed, and the same calls get the same answers.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Refusal } from '../../server/simulator/errno.js';
import type { Iova } from '../../server/simulator/memory/address.js';
import { IommufdFile, MAP_FLAGS } from '../../server/simulator/uapi/iommufd/index.js';
import type { IommufdContext } from '../../server/simulator/uapi/iommufd/context.js';
import { Ioas } from '../../server/simulator/uapi/iommufd/ioas.js';
import type { Process } from '../../server/simulator/uapi/process.js';
import { MSI, PAGE, PlainUnit, TestMachine } from './machine.js';

const NAMES = ['a', 'b', 'c', 'd', 'm'] as const;
const BUFFER = 0x10_0000n;
/** RLIMIT_MEMLOCK in pages. */
const LIMIT = 10n;

/** One machine, two programs of one user with a limit, and what they hold. */
class World {
  readonly units = [new PlainUnit('u0', { key: 'x' }), new PlainUnit('u1', { key: 'y', aperture: { start: 0n, last: (1n << 30n) - 1n } })] as const;
  readonly machine = new TestMachine({
    version: '6.19',
    devices: [
      { name: 'a', group: 1, unit: this.units[0] }, { name: 'b', group: 1, unit: this.units[0] }, { name: 'c', unit: this.units[0], reserved: [MSI, { start: 0x4000n, last: 0x4fffn, type: 'reserved' }] },
      { name: 'd', unit: this.units[1] },
    ],
    mediated: [{ name: 'm' }],
  });
  readonly live = this.units.map((unit) => unit.live.size);
  readonly programs = [this.program('p'), this.program('q')] as const;
  readonly log: string[] = [];

  private program(name: string) {
    const process = this.machine.process(name, { user: 'nobody', memlock: LIMIT * PAGE, capabilities: [] });
    this.machine.buffer(process, BUFFER, 16n * PAGE);
    const iommufd = this.machine.iommufd.open(process);
    const ids = [1, 2].map(() => this.machine.iommufd.ioasAlloc(process, iommufd).id);
    return { process, iommufd, ids, cdevs: [] as number[] };
  }

  /** Records what the call answered. */
  call(what: () => unknown): void {
    try {
      this.log.push(JSON.stringify(what(), (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)) ?? 'ok');
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      this.log.push(`${refusal.errno} ${refusal.rule}`);
    }
  }

  /** Areas and domains of all address spaces agree. */
  check(): void {
    for (const { objects } of this.contexts()) for (const object of objects.all()) if (object instanceof Ioas) checkTable(object);
    for (const group of this.machine.kernel.groups) {
      const owners = this.contexts().filter((context) => context.groups.has(group));
      expect(owners).toEqual(group.owner === null ? [] : [group.owner]);
      if (group.owner !== null) expect(group.domain).not.toBe(group.defaultDomain);
    }
    expect(this.machine.users.get('nobody')!.lockedPages).toBe(this.programs[0].process.pinnedPages + this.programs[1].process.pinnedPages);
    expect(this.machine.users.get('nobody')!.lockedPages).toBeLessThanOrEqual(Number(LIMIT));
  }

  private contexts(): IommufdContext[] {
    return this.programs.filter(({ process, iommufd }) => process.files.has(iommufd)).map(({ process, iommufd }) => (process.file(iommufd) as IommufdFile).context);
  }

  closeAll(): void {
    for (const { process } of this.programs) process.exit();
    expect(this.programs.map(({ process }) => process.pinnedPages)).toEqual([0, 0]);
    expect(this.machine.users.get('nobody')!.lockedPages).toBe(0);
    expect(this.units.map((unit) => unit.live.size)).toEqual(this.live);
    for (const group of this.machine.kernel.groups) expect([group.owner, group.domain]).toEqual([null, group.defaultDomain]);
    for (const registered of this.machine.vfio.registry.registered()) expect([registered.openCount, registered.cdevFiles, registered.group.boundCdevs]).toEqual([0, 0, 0]);
  }
}

function checkTable({ table }: Ioas): void {
  for (const { start, last } of table.areas.entries()) {
    const shown = [...table.domains].map((domain) => [domain.translate(start), domain.translate(last)]);
    for (const each of shown) expect(each).toEqual(shown[0]);
    for (const [first] of shown) expect(first).not.toBeNull();
  }
  for (const domain of table.domains) {
    const mapped = domain.mappings(1000).runs.reduce((sum, { iova }) => sum + (iova.last - iova.start + 1n), 0n);
    expect(mapped).toBe([...table.areas.entries()].reduce((sum, { start, last }) => sum + (last - start + 1n), 0n));
    expect(domain.translate((domain.aperture.last + 1n) as Iova)).toBeNull();
  }
}

type Program = World['programs'][number];
type Action = (world: World, program: Program) => unknown;

const pick = fc.nat(5);
const idOf = ({ ids }: Program, n: number): number => ids[n % Math.max(1, ids.length)] ?? 99;
const cdevOf = ({ cdevs }: Program, n: number): number => cdevs[n % Math.max(1, cdevs.length)] ?? 99;
const page = fc.nat(11).map((n) => BigInt(n) * PAGE);
const iova = fc.oneof(page, page, fc.constantFrom(0xfee0_0000n, 1n << 30n, 0x800n, (1n << 48n) - PAGE));
const length = fc.oneof(fc.integer({ min: 1, max: 5 }).map((n) => BigInt(n) * PAGE), fc.constantFrom(0n, 0x800n));
const flags = fc.nat(7);

function remember<T extends { readonly id: number }>(program: Program, made: T): T {
  program.ids.push(made.id);
  return made;
}

const mapUser = (user: Process, world: World, program: Program, call: { n: number; at: bigint; size: bigint; offset: bigint; bits: number }): unknown =>
  world.machine.iommufd.ioasMap(user, program.iommufd, { ioas: idOf(program, call.n), va: BUFFER + call.offset, length: call.size, iova: call.at, flags: call.bits });

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.constant<Action>(({ machine }, program) => remember(program, machine.iommufd.ioasAlloc(program.process, program.iommufd))),
  fc.record({ n: pick, at: iova, size: length, offset: page, bits: flags }).map((call): Action => (world, program) => mapUser(program.process, world, program, call)),
  fc.record({ n: pick, at: iova, size: length, offset: page, bits: fc.constant(MAP_FLAGS.READABLE | MAP_FLAGS.WRITEABLE | MAP_FLAGS.FIXED_IOVA) }).map((call): Action => (world, program) => mapUser(program.process, world, program, call)),
  fc.tuple(pick, iova, length).map(([n, at, size]): Action => ({ machine }, program) => machine.iommufd.ioasUnmap(program.process, program.iommufd, { ioas: idOf(program, n), iova: at, length: size })),
  fc.tuple(pick, pick, iova, length, iova, flags).map(([n, m, from, size, at, bits]): Action => ({ machine }, program) =>
    machine.iommufd.ioasCopy(program.process, program.iommufd, { source: idOf(program, n), target: idOf(program, m), sourceIova: from, length: size, iova: at, flags: bits })),
  fc.tuple(pick, page, length).map(([n, start, size]): Action => ({ machine }, program) =>
    machine.iommufd.ioasAllowIovas(program.process, program.iommufd, { ioas: idOf(program, n), ranges: size === 0n ? [] : [{ start, last: start + size }] })),
  fc.tuple(pick, fc.boolean()).map(([n, on]): Action => ({ machine }, program) => machine.iommufd.option(program.process, program.iommufd, { option: 1, op: 0, object: idOf(program, n), value: on ? 1n : 0n })),
  fc.constantFrom(...NAMES).map((name): Action => ({ machine }, program) => {
    const cdev = machine.iommufd.openCdev(program.process, machine.device(name));
    program.cdevs.push(cdev);
    return remember(program, machine.iommufd.bindIommufd(program.process, cdev, { iommufd: program.iommufd }));
  }),
  fc.tuple(pick, pick).map(([n, m]): Action => ({ machine }, program) => machine.iommufd.attach(program.process, cdevOf(program, n), { pt: idOf(program, m) })),
  fc.tuple(pick, pick).map(([n, m]): Action => ({ machine }, program) => machine.iommufd.attach(program.process, cdevOf(program, n), { pt: idOf(program, m) })),
  pick.map((n): Action => ({ machine }, program) => machine.iommufd.detach(program.process, cdevOf(program, n))),
  fc.tuple(pick, pick, flags).map(([n, m, bits]): Action => ({ machine }, program) => remember(program, machine.iommufd.hwptAlloc(program.process, program.iommufd, { device: idOf(program, n), pt: idOf(program, m), flags: bits & 8 }))),
  pick.map((n): Action => ({ machine }, program) => machine.iommufd.destroy(program.process, program.iommufd, { id: idOf(program, n) })),
  fc.tuple(page, fc.integer({ min: 1, max: 3 }), fc.boolean()).map(([at, pages, write]): Action => ({ machine }) => machine.vfio.pinPages(machine.device('m'), at, BigInt(pages) * PAGE, { read: true, write }).length),
  fc.tuple(page, fc.integer({ min: 1, max: 3 })).map(([at, pages]): Action => ({ machine }) => machine.vfio.unpinPages(machine.device('m'), at, BigInt(pages) * PAGE)),
  pick.map((n): Action => (_world, program) => program.process.close(cdevOf(program, n))),
);

/** The first program has most devices, so that the rest of the sequence finds something to do. */
function begin(): World {
  const world = new World();
  const [first] = world.programs;
  for (const name of ['a', 'c', 'd', 'm'] as const) {
    const cdev = world.machine.iommufd.openCdev(first.process, world.machine.device(name));
    world.machine.iommufd.bindIommufd(first.process, cdev, { iommufd: first.iommufd });
    first.cdevs.push(cdev);
    if (name === 'a' || name === 'm') world.machine.iommufd.attach(first.process, cdev, { pt: first.ids[0]! });
  }
  return world;
}

function run(steps: readonly (readonly [number, Action])[]): string[] {
  const world = begin();
  for (const [who, act] of steps) {
    world.call(() => act(world, world.programs[who as 0 | 1]));
    world.check();
  }
  world.closeAll();
  return world.log;
}

describe('random sequences', () => {
  it('keep every promise of the address spaces, groups and counters', () => {
    const steps = fc.array(fc.tuple(fc.nat(9).map((n) => (n === 0 ? 1 : 0)), action), { minLength: 30, maxLength: 80, size: 'max' });
    fc.assert(fc.property(steps, (sequence) => {
      expect(run(sequence)).toEqual(run(sequence));
    }), { numRuns: 150 });
  });
});
