/**
 * Random sequences of container, group, device and iommufd calls by two programs, with drivers and mediated devices coming
 * and going: every errno is one that the rules name, counts and owners agree after every call, and when both programs have
 * ended nothing of theirs is left.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { Refusal, type CallFailure } from '../../server/simulator/errno.js';
import type { Device, Domain, PagingDomain } from '../../server/simulator/kernel/core.js';
import type { Iova } from '../../server/simulator/memory/address.js';
import { MAP_FLAGS } from '../../server/simulator/uapi/iommufd/index.js';
import type { Process } from '../../server/simulator/uapi/process.js';
import { DIRTY_PAGES, DMA_MAP, DMA_UNMAP, Type1, VfioContainer } from '../../server/simulator/uapi/vfio/index.js';
import type { Mapping } from '../../server/simulator/uapi/vfio/type1/mapping.js';
import { Lab, MEMORY, PAGE } from './machine.js';

const DEVICES = ['A', 'B', 'C', 'S', 'vgpu0'] as const;
const PCI = DEVICES.slice(0, 4);
const ENTRY_LIMIT = 4;
/** RLIMIT_MEMLOCK in pages: two mappings of the largest size are too many. */
const LOCKABLE = 24n;
const MODELS = [1, 3, 6, 8];
const DRIVERS = ['vfio-pci', 'e1000e', 'pci-stub'];

interface Program {
  readonly name: string;
  process: Process;
  /** Descriptors that were ever given out, closed ones too. */
  readonly files: number[];
  readonly spaces: number[];
}

/** What the next call takes: numbers that are reduced to what there is. */
interface Choice {
  readonly program: number;
  readonly file: number;
  readonly other: number;
  readonly device: number;
  readonly slot: number;
  readonly pages: number;
}

type Action = (world: World, program: Program, choice: Choice) => unknown;

const pick = <T>(list: readonly T[], at: number): T | undefined => list[at % Math.max(1, list.length)];

class World {
  readonly programs: readonly [Program, Program];
  readonly containers: VfioContainer[] = [];
  readonly answers: string[] = [];
  private readonly defaults: ReadonlyMap<Device, Domain | null>;
  private readonly firstDomainId: number;

  constructor(readonly lab: Lab) {
    this.programs = [this.start('p'), this.start('q')];
    this.defaults = new Map(lab.machine.kernel.devices.flatMap((device) => (device.kind === 'pci' ? [[device, device.group?.domain ?? null] as const] : [])));
    for (const name of ['A', 'B', 'C']) this.makeBlockingDomain(name);
    this.firstDomainId = this.freeDomainId();
  }

  /** Where there is no static one, a group makes its blocking domain when it is first claimed, and keeps it. */
  private makeBlockingDomain(name: string): void {
    const { group } = this.lab.device(name);
    if (group === null || this.lab.machine.kernel.profile.ownership === 'viability') return;
    group.claim(this);
    group.release();
  }

  private start(name: string): Program {
    return { name, process: this.lab.process(name, { memlock: LOCKABLE * PAGE, capabilities: [] }), files: [], spaces: [] };
  }

  restart(program: Program): void {
    program.process.exit();
    program.process = this.start(program.name).process;
    program.files.length = 0;
    program.spaces.length = 0;
  }

  file(program: Program, at: number): number {
    return pick(program.files, at) ?? -1;
  }

  device({ device }: Choice): Device {
    const found = this.lab.machine.kernel.devices.find(({ description }) => description.name === pick(DEVICES, device));
    if (found === undefined) throw new Refusal('ENODEV', 'MDV-04', 'it was removed');
    return found;
  }

  open(program: Program, fd: number): void {
    program.files.push(fd);
    const file = program.process.file(fd);
    if (file instanceof VfioContainer) this.containers.push(file);
  }

  /** VFG-14, VFT-40, VFT-41, VFT-60 .. VFT-62: what must hold between any two calls. */
  check(): void {
    const states = this.containers.flatMap(({ backend }) => (backend instanceof Type1 ? [backend.state] : []));
    const locked = new Map<Process, number>();
    for (const state of states) {
      expect(state.available + state.mappings.size).toBe(ENTRY_LIMIT);
      for (const mapping of state.mappings.entries()) {
        locked.set(mapping.process, (locked.get(mapping.process) ?? 0) + mapping.lockedPages);
        checkMapping(mapping, state.pagingDomains);
      }
    }
    for (const { process } of this.programs) {
      expect(process.lockedPages).toBe(locked.get(process) ?? 0);
      expect(process.lockedPages).toBeLessThanOrEqual(Number(LOCKABLE));
    }
    this.checkGroups(states.flatMap((state) => state.attachments.map(({ group }) => group)));
  }

  private checkGroups(attached: readonly object[]): void {
    expect(new Set(attached).size).toBe(attached.length);
    const { registry, kernel } = this.lab.vfio;
    for (const registered of registry.registered()) {
      const { group } = registered;
      expect(group.boundCdevs === 0 || group.container === null).toBe(true);
      if (group.container instanceof VfioContainer) expect(this.containers).toContain(group.container);
      if (kernel.profile.ownership === 'dma-owner' && group.kind === 'iommu' && group.container instanceof VfioContainer) expect(group.iommuGroup.owner).toBe(group);
      expect(registered.openCount).toBeGreaterThanOrEqual(0);
      if (registered.openCount === 0) expect(registered.mediating?.memory ?? null).toBeNull();
    }
  }

  /** All files are closed: everything is as it was before the first call. */
  checkEnd(): void {
    for (const { process } of this.programs) {
      process.exit();
      expect([process.lockedPages, process.pinnedPages, process.user.lockedPages]).toEqual([0, 0, 0]);
    }
    for (const registered of this.lab.vfio.registry.registered()) {
      const { group, mediating } = registered;
      expect([registered.openCount, registered.cdevFiles, group.opened, group.container, group.boundCdevs, group.users, mediating?.heldPages ?? 0]).toEqual([0, 0, false, null, 0, 0, 0]);
    }
    for (const [device, domain] of this.defaults) {
      expect(device.group?.owner ?? null).toBeNull();
      expect(device.group?.domain ?? null).toBe(domain);
    }
    for (const { backend, empty } of this.containers) expect([backend, empty]).toEqual([null, true]);
    expect(this.freeDomainId()).toBe(this.firstDomainId);
  }

  /** The lowest number of a domain that is free: of leaked domains the numbers would be taken. */
  private freeDomainId(): number {
    const domain = this.lab.machine.kernel.allocateDomain(this.lab.device('A'), 'probe');
    const { domainId } = domain;
    domain.free();
    return domainId;
  }
}

/** What a mapping counts, and what domains have of it. */
function checkMapping(mapping: Mapping, domains: readonly PagingDomain[]): void {
  expect(mapping.iommuMapped).toBe(domains.length > 0);
  const pages = Number(mapping.size / PAGE);
  if (mapping.iommuMapped) expect(mapping.lockedPages).toBe(pages);
  else expect(mapping.lockedPages).toBe(mapping.externalPins.size);
  for (const domain of domains) {
    const offset = mapping.size - PAGE;
    expect(domain.translate((mapping.iova + offset) as Iova)).toBe(mapping.process.pieces(mapping.vaddr + offset, PAGE, mapping.permission)[0]?.physical);
  }
}

const SLOT = 0x1_0000n;
const iova = ({ slot }: Choice): bigint => 0x10_0000n + BigInt(slot % 6) * SLOT;
const size = ({ pages }: Choice): bigint => BigInt(1 + (pages % 16)) * PAGE;
/** Few offsets, so that two mappings often share pages. */
const vaddr = ({ other }: Choice): bigint => MEMORY + BigInt(other % 3) * SLOT;

const common: readonly CallFailure[] = ['EBADF', 'ENOTTY', 'ENODEV'];

/** Every call, and what it may be refused with beside EBADF, ENOTTY for a wrong file, and ENODEV for a device that is gone. */
const ACTIONS: readonly (readonly [name: string, errnos: readonly CallFailure[], action: Action])[] = [
  ['open container', [], (world, program) => world.open(program, world.lab.vfio.openContainer(program.process))],
  ['open group', ['EBUSY', 'ENOENT'], (world, program, choice) => world.open(program, world.lab.vfio.openGroup(program.process, world.device(choice)))],
  ['group status', [], (world, program, { file }) => world.lab.vfio.groupStatus(program.process, world.file(program, file)).flags],
  ['SET_CONTAINER', ['EINVAL', 'EBADFD', 'EPERM', 'EBUSY', 'ENOMEM', 'EIO', 'EFAULT'], (world, program, { file, other }) => world.lab.vfio.setContainer(program.process, world.file(program, file), world.file(program, other))],
  ['UNSET_CONTAINER', ['EINVAL', 'EBUSY'], (world, program, { file }) => world.lab.vfio.unsetContainer(program.process, world.file(program, file))],
  ['SET_IOMMU', ['EINVAL', 'EPERM', 'EBUSY', 'EIO', 'ENOMEM'], (world, program, { file, other }) => world.lab.vfio.setIommu(program.process, world.file(program, file), pick(MODELS, other)!)],
  ['GET_DEVICE_FD', ['EINVAL', 'EPERM', 'EADDRINUSE', 'ENOMEM', 'EFAULT', 'EBUSY'], (world, program, choice) => world.open(program, world.lab.vfio.getDeviceFd(program.process, world.file(program, choice.file), world.device(choice).name))],
  ['MAP_DMA', ['EINVAL', 'EEXIST', 'ENOSPC', 'ENOMEM'], (world, program, choice) => world.lab.vfio.mapDma(program.process, world.file(program, choice.file), { flags: DMA_MAP.READ | DMA_MAP.WRITE, iova: iova(choice), size: size(choice), vaddr: vaddr(choice) })],
  ['MAP_DMA VADDR', ['EINVAL', 'ENOENT', 'ENOMEM'], (world, program, choice) => world.lab.vfio.mapDma(program.process, world.file(program, choice.file), { flags: DMA_MAP.VADDR, iova: iova(choice), size: size(choice), vaddr: vaddr(choice) })],
  ['UNMAP_DMA', ['EINVAL', 'ENOENT'], (world, program, choice) => world.lab.vfio.unmapDma(program.process, world.file(program, choice.file), { iova: iova(choice), size: size(choice) })],
  ['UNMAP_DMA ALL', ['EINVAL'], (world, program, { file }) => world.lab.vfio.unmapDma(program.process, world.file(program, file), { flags: DMA_UNMAP.ALL, iova: 0n, size: 0n })],
  ['UNMAP_DMA VADDR', ['EINVAL', 'EBUSY'], (world, program, { file }) => world.lab.vfio.unmapDma(program.process, world.file(program, file), { flags: DMA_UNMAP.VADDR | DMA_UNMAP.ALL, iova: 0n, size: 0n })],
  ['DIRTY_PAGES', ['EACCES', 'EINVAL'], (world, program, choice) => world.lab.vfio.dirtyPages(program.process, world.file(program, choice.file), { flags: [DIRTY_PAGES.START, DIRTY_PAGES.STOP, DIRTY_PAGES.GET_BITMAP][choice.other % 3]!, iova: iova(choice), size: size(choice), bitmap: { pageSize: PAGE, size: 8n } })],
  ['pin_pages', ['EINVAL', 'EACCES', 'EPERM', 'EFAULT', 'ENOMEM', 'EBUSY', 'ENOENT'], (world, _program, choice) => world.lab.vfio.pinPages(world.device(choice), iova(choice), PAGE * BigInt(1 + (choice.pages % 4)), { read: true, write: true })],
  ['unpin_pages', ['EINVAL'], (world, _program, choice) => world.lab.vfio.unpinPages(world.device(choice), iova(choice), PAGE * BigInt(1 + (choice.pages % 4)))],
  ['close', [], (world, program, { file }) => program.process.close(world.file(program, file))],
  ['kill', [], (world, program) => world.restart(program)],
  ['unbind', [], (world, _program, choice) => world.lab.vfio.unbind(world.device({ ...choice, device: choice.device % PCI.length }))],
  ['bind', ['EBUSY', 'EINVAL', 'EAGAIN'], (world, _program, choice) => world.lab.machine.kernel.bind(world.device({ ...choice, device: choice.device % PCI.length }), pick(DRIVERS, choice.other)!)],
  ['remove mediated device', [], (world, _program, choice) => world.lab.vfio.mediatedDevices.remove(world.device({ ...choice, device: DEVICES.indexOf('vgpu0') }))],
  ['create mediated device', ['EEXIST'], (world) => world.lab.vfio.mediatedDevices.create(world.lab.machine.host.mediatedDevices[0]!).name],
  ['KVM', ['EINVAL', 'EPERM', 'EEXIST'], (world, program, { file }) => {
    const kvm = world.lab.vfio.openKvmDevice(program.process);
    program.files.push(kvm);
    world.lab.vfio.kvmGroup(program.process, kvm, world.file(program, file), 'add');
  }],
  ['hot reset', ['EINVAL'], (world, program, { file, other }) => world.lab.vfio.deviceCalls.hotReset(program.process, world.file(program, file), [world.file(program, other)]).length],
  ['reset', ['EINVAL'], (world, program, { file }) => world.lab.vfio.deviceCalls.reset(program.process, world.file(program, file))],
  ['DEVICE_FEATURE_DMA_BUF', ['EINVAL', 'EOPNOTSUPP'], (world, program, { file, pages }) => world.open(program, world.lab.vfio.deviceCalls.exportMemory(program.process, world.file(program, file), { region: pages % 2, start: 0n, size: PAGE * 4n, ranges: 1 + (pages % 3) }))],
  ['IOAS_MAP_FILE', ['EINVAL', 'EEXIST', 'ENOENT', 'EADDRINUSE', 'EOPNOTSUPP', 'EFAULT', 'ENOMEM'], (world, program, choice) =>
    world.lab.machine.iommufd.ioasMapFile(program.process, world.file(program, choice.other), { ioas: pick(program.spaces, choice.slot) ?? 0, file: world.file(program, choice.file), start: 0n, length: PAGE, iova: iova(choice), flags: MAP_FLAGS.FIXED_IOVA | MAP_FLAGS.READABLE })],
  ['open iommufd', ['ENOENT'], (world, program) => {
    const fd = world.lab.machine.iommufd.open(program.process);
    program.files.push(fd);
    program.spaces.push(world.lab.machine.iommufd.ioasAlloc(program.process, fd).id);
  }],
  ['open character device', ['ENOENT'], (world, program, choice) => world.open(program, world.lab.machine.iommufd.openCdev(program.process, world.device(choice)))],
  ['BIND_IOMMUFD', ['EINVAL', 'EBUSY', 'EPERM', 'EBADFD', 'EAGAIN'], (world, program, { file, other }) => world.lab.machine.iommufd.bindIommufd(program.process, world.file(program, file), { iommufd: world.file(program, other) })],
  ['ATTACH_IOMMUFD_PT', ['EINVAL', 'ENOENT', 'EADDRINUSE', 'EBUSY', 'ENOMEM', 'EFAULT'], (world, program, { file, other }) => world.lab.machine.iommufd.attach(program.process, world.file(program, file), { pt: pick(program.spaces, other) ?? 0 })],
  ['DETACH_IOMMUFD_PT', ['EINVAL'], (world, program, { file }) => world.lab.machine.iommufd.detach(program.process, world.file(program, file))],
];

class Step implements fc.Command<{ steps: number }, World> {
  constructor(
    private readonly at: number,
    private readonly choice: Choice,
  ) {}

  check(): boolean {
    return true;
  }

  run(model: { steps: number }, world: World): void {
    const [name, errnos, action] = ACTIONS[this.at]!;
    model.steps++;
    world.answers.push(answerOf(name, errnos, () => action(world, world.programs[this.choice.program]!, this.choice)));
    world.check();
  }

  toString(): string {
    return `${ACTIONS[this.at]![0]} ${JSON.stringify(this.choice)}`;
  }
}

/** In the old model a driver that arrives at a live group stops the machine (VFG-21); here it goes on as if refused. */
function answerOf(name: string, errnos: readonly CallFailure[], call: () => unknown): string {
  try {
    call();
    return `${name}: ok`;
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    expect([...common, ...errnos, ...(name === 'bind' ? ['BUG'] : [])], `${name} is refused by ${refusal.rule}: ${refusal.reason}`).toContain(refusal.errno);
    return `${name}: ${refusal.errno}`;
  }
}

const CHOICE = fc.record({ program: fc.nat(1), file: fc.nat(7), other: fc.nat(7), device: fc.nat(9), slot: fc.nat(7), pages: fc.nat(20) });
const COMMANDS = fc.commands(ACTIONS.map((_action, at) => CHOICE.map((choice) => new Step(at, choice))), { maxCommands: 60, size: 'max' });

/** How a user sets up: without it few random sequences would get as far as a mapping. */
function begin(world: World, names: readonly string[]): void {
  for (const program of world.programs) {
    world.open(program, world.lab.vfio.openContainer(program.process));
    const [container] = program.files;
    names.filter((_name, i) => i % 2 === world.programs.indexOf(program)).forEach((name) => {
      const group = world.lab.vfio.openGroup(program.process, world.lab.device(name));
      world.open(program, group);
      world.lab.vfio.setContainer(program.process, group, container!);
    });
    if (program.files.length > 1) world.lab.vfio.setIommu(program.process, container!, 3);
    const group = program.files[1];
    if (group !== undefined) world.open(program, world.lab.vfio.getDeviceFd(program.process, group, world.lab.device(names[world.programs.indexOf(program)]!).name));
  }
  world.check();
}

const MORE = 'root-port rp3 at 00:05.0 { acs SV, RR, CR, UF   function C at 03:00.0 { class ethernet  driver vfio-pci  bar 0 at 0xfc00_0000 size 64KiB }   function S at 03:00.1 { class ethernet } }';

describe.each(['5.13', '6.1', '6.19'])('Linux %s', (kernel) => {
  let boot: () => Lab;
  beforeAll(async () => {
    boot = await Lab.described(`${kernel} cmdline "intel_iommu=on" { parameters "vfio_iommu_type1.dma_entry_limit=${ENTRY_LIMIT}" }`, MORE);
  });

  test.each([[[] as string[]], [['A', 'B']], [['vgpu0', 'C']], [['A', 'C', 'vgpu0', 'B']]])('random calls after %j have their containers', (names) => {
    fc.assert(fc.property(COMMANDS, (commands) => {
      const world = new World(boot());
      begin(world, names);
      fc.modelRun(() => ({ model: { steps: 0 }, real: world }), commands);
      world.checkEnd();
    }), { numRuns: 100 });
  });

  test('equal calls have equal answers', () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(ACTIONS.length - 1), CHOICE), { maxLength: 40 }), (steps) => {
      const answers = [1, 2].map(() => {
        const world = new World(boot());
        begin(world, ['A', 'vgpu0']);
        for (const [at, choice] of steps) new Step(at, choice).run({ steps: 0 }, world);
        return world.answers;
      });
      expect(answers[0]).toEqual(answers[1]);
    }), { numRuns: 20 });
  });
});
