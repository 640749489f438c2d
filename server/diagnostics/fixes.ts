/** Edits that several repairs share. */
import type { SubjectId } from '../simulator/description.js';
import type { Edit } from './rule.js';

/** The administrator binds devices to vfio-pci: a statement after the owner's, in the owner's own file. */
export const bind = (owner: SubjectId, devices: readonly string[], host: string): Edit => ({ kind: 'insert-after', subject: owner, text: `bind ${devices.join(', ')} to vfio-pci on ${host}` });
