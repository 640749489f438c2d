/** A small host for the tests of this room: the whole kernel on VT-d, made from a few lines of the language. */
import { parseFiles } from '../../language/index.js';
import { Refusal } from '../../server/simulator/errno.js';
import { planBoot } from '../../server/simulator/kernel/boot.js';
import { physical, virtual } from '../../server/simulator/memory/address.js';
import { Machine } from '../../server/simulator/scenario/machine.js';
import { Process, type Capability, type MemoryArea } from '../../server/simulator/uapi/process.js';
import { DMA_MAP } from '../../server/simulator/uapi/vfio/index.js';

export const PAGE = 4096n;
/** Where the memory of every test process begins, and its size. */
export const MEMORY = 0x7f00_0000_0000n;
export const MEMORY_SIZE = 64n << 20n;

const HOST = (kernel: string, more: string): string => `
host lab {
  kernel ${kernel}
  cpu intel
  memory 0 .. 0x9_ffff, 0x10_0000 .. 0x7fff_ffff, 4GiB size 4GiB
  iommu dmar0 : vtd { address-width 48  interrupt-remapping  covers rest }
  root-port rp1 at 00:03.0 { acs SV, RR, CR, UF   function A at 01:00.0 { class ethernet  driver vfio-pci } }
  root-port rp2 at 00:04.0 { acs SV, RR, CR, UF   function B at 02:00.0 { class nvme  driver vfio-pci } }
  integrated gpu at 00:02.0 { class vga  driver i915 }
  mdev vgpu0 on gpu : software
  ${more}
}`;

export class Lab {
  readonly log: string[];

  private constructor(readonly machine: Machine) {
    this.log = machine.kernel.log;
  }

  /** @param more further lines of the host */
  static async boot(kernel: string, more = ''): Promise<Lab> {
    return (await Lab.described(kernel, more))();
  }

  /** The host is read once; every call boots it anew. */
  static async described(kernel: string, more = ''): Promise<() => Lab> {
    const uri = 'file:///lab.iommu';
    const { lowered, problems } = await parseFiles([{ uri, text: HOST(kernel, more) }], uri);
    if (problems.length > 0) throw new Error(problems.map((problem) => problem.message).join('\n'));
    const plan = () => new Machine(lowered.description, planBoot(lowered.description.hosts[0]!));
    return () => new Lab(plan());
  }

  get vfio() {
    return this.machine.vfio;
  }

  device(name: string) {
    return this.machine.kernel.devices.find((device) => device.description.name === name)!;
  }

  /** A process with 64 MiB of memory in one piece; root without limits unless said. */
  process(name = 'p', options: { readonly memlock?: bigint; readonly capabilities?: readonly Capability[] } = {}): Process {
    const capabilities = options.capabilities ?? ['IPC_LOCK', 'SYS_RAWIO', 'SYS_RESOURCE', 'SYS_ADMIN'];
    const process = new Process(name, { lockedPages: 0 }, new Set(capabilities), options.memlock ?? null);
    process.areas.push(anonymous(MEMORY, MEMORY_SIZE, 0x1_0000_0000n));
    return process;
  }

  /** Opens the groups of the named devices and puts them into a new container; a model makes it choose its back end. */
  container(process: Process, names: readonly string[], model?: number): { readonly container: number; readonly groups: readonly number[] } {
    const container = this.vfio.openContainer(process);
    const groups = names.map((name) => this.join(process, name, container));
    if (model !== undefined) this.vfio.setIommu(process, container, model);
    return { container, groups };
  }

  join(process: Process, name: string, container: number): number {
    const group = this.vfio.openGroup(process, this.device(name));
    this.vfio.setContainer(process, group, container);
    return group;
  }

  map(process: Process, container: number, iova: bigint, size: bigint, offset = 0n, flags: number = DMA_MAP.READ | DMA_MAP.WRITE): void {
    this.vfio.mapDma(process, container, { iova, size, vaddr: MEMORY + offset, flags });
  }
}

export const anonymous = (start: bigint, size: bigint, at: bigint, writable = true): MemoryArea => ({
  start: virtual(start), size, kind: 'anonymous', writable, pieces: [{ physical: physical(at), size }], name: 'memory',
});

/** "ok", or the errno that a call is refused with. */
export function outcomeOf(call: () => unknown): string {
  try {
    call();
    return 'ok';
  } catch (error) {
    if (error instanceof Refusal) return error.errno;
    throw error;
  }
}
