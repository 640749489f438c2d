/** KVM's VFIO device (KVM_DEV_TYPE_VFIO): it keeps the groups whose devices a guest has, so that they cannot leave under it (VFG-24). */
import { Refusal } from '../../errno.js';
import type { OpenFile } from '../process.js';
import type { GroupFile } from './group-file.js';

export class KvmDevice implements OpenFile {
  readonly kind = 'other';
  private readonly groups = new Map<GroupFile, () => void>();

  /** KVM_DEV_VFIO_GROUP_ADD. @throws Refusal EEXIST, and what the group says */
  add(group: GroupFile): void {
    if (this.groups.has(group)) throw new Refusal('EEXIST', 'VFG-24', 'KVM has this group already', group.group.subjects());
    this.groups.set(group, group.addExternalUser());
  }

  /** KVM_DEV_VFIO_GROUP_DEL. @throws Refusal ENOENT */
  remove(group: GroupFile): void {
    const drop = this.groups.get(group);
    if (drop === undefined) throw new Refusal('ENOENT', 'VFG-24', 'KVM does not have this group', group.group.subjects());
    this.groups.delete(group);
    drop();
  }

  release(): void {
    for (const drop of this.groups.values()) drop();
    this.groups.clear();
  }
}
