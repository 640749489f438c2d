/** Which kernel gives out PASIDs how. */
import type { HostDescription } from '../../description.js';
import type { KernelProfile } from '../profile.js';
import { absent, type ModelName } from './absent.js';
import { CountedAllocator, NoAllocator, UncountedAllocator } from './allocator.js';
import type { IoasidCalls, IoasidFunction, IoasidSurroundings } from './calls.js';
import { GlobalPasids } from './global-pasids.js';
import type { IdSpace } from './id-space.js';
import { ProposedIoasids } from './proposal.js';

export * from './calls.js';

/** The numbers of one machine. */
export interface Ioasids {
  readonly model: ModelName;
  readonly calls: IoasidCalls;
}

/** The function of that name. @throws Refusal ENOENT when this kernel has none */
export function offered<F extends IoasidFunction>({ model, calls }: Ioasids, name: F): NonNullable<IoasidCalls[F]> {
  const found = calls[name];
  if (found === undefined) throw absent(name, model);
  return found.bind(calls) as NonNullable<IoasidCalls[F]>;
}

/** @param space the machine's PASIDs, of which drivers take as well that bind address spaces or attach auxiliary domains (IOA-08) */
export function ioasidsOf(host: HostDescription, profile: KernelProfile, surroundings: IoasidSurroundings, space: IdSpace): Ioasids {
  if (host.kernel.ioasid === 'sets-2021') return { model: 'proposal', calls: new ProposedIoasids(surroundings, space, hasHostSet(host)) };
  if (profile.ioasids === 'global') return { model: 'today', calls: new GlobalPasids(surroundings, space) };
  if (host.kernel.buildOptions.findLast((option) => /^!?IOASID$/.test(option)) === '!IOASID') return { model: 'merged', calls: new NoAllocator() };
  return profile.ioasids === 'counted' ? { model: 'merged', calls: new CountedAllocator(surroundings, space) } : { model: 'uncounted', calls: new UncountedAllocator(surroundings, space) };
}

/** IOX-11: VT-d in scalable mode. */
const hasHostSet = ({ iommus }: HostDescription): boolean => iommus.some(({ architecture, scalableMode }) => architecture === 'vtd' && scalableMode);
