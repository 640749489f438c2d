/** The stages of getting a device (SBS-01), by which calls of different interfaces are laid beside one another. */
export type Phase = 'open' | 'ask' | 'own' | 'domain' | 'map' | 'device' | 'pin' | 'dma' | 'end' | 'host';

const VERBS: Readonly<Record<Exclude<Phase, 'host' | 'dma'>, readonly string[]>> = {
  open: ['open-container', 'open-iommufd', 'open-group', 'open-cdev', 'ioas-alloc'],
  ask: ['group-status', 'check-extension', 'iommu-info', 'ioas-ranges', 'get-hw-info'],
  own: ['set-container', 'bind-iommufd', 'claim-dma'],
  domain: ['set-iommu', 'attach', 'hwpt-alloc', 'alloc-domain', 'attach-domain', 'attach-pasid', 'aux-attach'],
  map: ['map', 'unmap', 'copy', 'map-domain', 'unmap-domain'],
  device: ['get-device'],
  pin: ['pin-pages', 'unpin-pages'],
  end: ['unset-container', 'detach', 'close', 'destroy', 'kill', 'detach-domain', 'detach-pasid', 'release-dma'],
};
const PHASES: ReadonlyMap<string, Phase> = new Map(Object.entries(VERBS).flatMap(([phase, verbs]) => verbs.map((verb) => [verb, phase as Phase] as const)));

/** What is none of it happens on the host: drivers, groups, the kernel's own work. */
export const phaseOf = (verb: string): Phase => PHASES.get(verb) ?? 'host';
