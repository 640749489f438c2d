/**
 * What exists in a machine between two actions, as a graph: the objects of programs and of the kernel, and the links between
 * driver, group, domain and device. The comparison draws it, the debugger lists it.
 */
import type { SubjectId } from './description.js';

export interface ObjectGraph {
  readonly nodes: readonly ObjectNode[];
  readonly links: readonly ObjectLink[];
}

/** From what a program holds down to what the hardware sees. */
export type ObjectKind =
  | 'program'
  | 'container' | 'vfio-group' | 'device-file' | 'iommufd' | 'ioas' | 'access' | 'hwpt' | 'nested-hwpt' | 'fault-queue' | 'viommu' | 'vdevice' | 'event-queue'
  | 'driver' | 'group' | 'domain' | 'device' | 'mdev';

export interface ObjectNode {
  /** The same object has the same identity after every action of a run. */
  readonly id: string;
  readonly kind: ObjectKind;
  /** As the file names it, or as the kernel does ("group 13", "hwpt 4"). */
  readonly label: string;
  readonly subject?: SubjectId;
  /** Name and value of what is worth showing: type, aperture, locked pages, mappings ... */
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Mappings of address spaces and domains, cut short to a bound. */
  readonly mappings?: readonly string[];
}

export interface ObjectLink {
  readonly from: string;
  readonly to: string;
  /** What `from` does to `to`: "holds", "member of", "attached to", "bound to", "owned by", "maps through", "parent" ... */
  readonly label: string;
  /** A link that the model only pretends: an mdev's group without domain of its own (VFT-11). */
  readonly fake?: boolean;
}
