/** What the file system and the device cgroup ask before a driver hears that somebody opens its node. */
import { Refusal } from '../errno.js';
import type { SubjectId } from '../description.js';
import type { Process } from './process.js';

export interface DeviceNode {
  readonly path: string;
  /** As the kernel makes it, of root: `/dev/vfio/vfio` is for everybody, `/dev/vfio/N` for root alone. */
  readonly mode: '0666' | '0660' | '0600';
  /** The rule of the open that follows. */
  readonly rule: string;
}

/** @throws Refusal EPERM from the device cgroup, whatever the mode says; EACCES where only root may */
export function wantNode(process: Process, { path, mode, rule }: DeviceNode, offenders: readonly SubjectId[] = []): void {
  if (process.nodes === 'cgroup-denied') throw new Refusal('EPERM', rule, `the device cgroup of ${process.name} does not list ${path}`, offenders);
  if (process.nodes === 'root-only' && mode !== '0666') throw new Refusal('EACCES', rule, `${path} belongs to root (mode ${mode}), and ${process.name} runs as another user`, offenders);
}
