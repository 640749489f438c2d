/** Failures that a diagnostic of their own explains: which refusals each one stands for. */
import type { StepReport } from '../simulator/report.js';

export interface Cause {
  readonly code: string;
  explains(step: StepReport): boolean;
}

const byRule = (code: string, results: readonly string[], rules: readonly string[]): Cause => ({
  code,
  explains: (step) => results.includes(step.result) && step.rules.some((rule) => rules.includes(rule)),
});

/** Interrupts of the group cannot be isolated (VFT-10 step 13, VFT-15 step 12, IFD-30). */
export const INTERRUPT_ISOLATION: Cause = {
  code: 'iommu/no-interrupt-remapping',
  explains: (step) => step.result === 'EPERM' && step.trace.some((event) => event.verdict === 'fault' && /interrupt remapping|MSI|interrupts/i.test(event.text)),
};
/** RLIMIT_MEMLOCK (VFT-60, VFT-61, IOP-30). */
export const MEMORY_LOCK: Cause = byRule('memory/memlock-exceeded', ['ENOMEM'], ['VFT-60', 'VFT-61', 'IOP-30']);
/** Firmware wants a 1:1 mapping (RSV-44, RSV-45). */
export const DIRECT_REGION: Cause = byRule('reserved/firmware-mapping', ['EPERM', 'EINVAL'], ['RSV-44', 'RSV-45']);

/** vfio-pci's probe refuses what is no ordinary function (VFG-22). */
export const VFIO_ON_BRIDGE: Cause = {
  code: 'driver/vfio-on-bridge',
  explains: (step) => step.result === 'EINVAL' && step.rules.includes('VFG-22') && step.trace.some((event) => event.text.includes('is a bridge')),
};

/** An I/O virtual address beyond the aperture of a domain (VFT-20, VFT-22, IFD-18, IOP-06). */
export const ADDRESS_WIDTH: Cause = {
  code: 'memory/beyond-address-width',
  explains: (step) => ['EINVAL', 'EADDRINUSE'].includes(step.result) && step.rules.some((rule) => ['VFT-20', 'VFT-22', 'IFD-18', 'IOP-06'].includes(rule))
    && step.trace.some((event) => /beyond the highest address|\.\. 0x(f_?){16}\b/.test(event.text)),
};
/** More mappings than a container may have (VFT-41). */
export const MAPPING_COUNT: Cause = byRule('memory/too-many-mappings', ['ENOSPC'], ['VFT-41']);

/** The file system or the device cgroup refuses an open, before any driver is asked. */
export const NODE_ACCESS: Cause = {
  code: 'ownership/node-not-permitted',
  explains: (step) => step.call.startsWith('open(') && (step.result === 'EACCES' || (step.result === 'EPERM' && step.trace.some((event) => event.text.includes('device cgroup')))),
};

export const CAUSES: readonly Cause[] = [INTERRUPT_ISOLATION, MEMORY_LOCK, DIRECT_REGION, ADDRESS_WIDTH, MAPPING_COUNT, VFIO_ON_BRIDGE, NODE_ACCESS];
