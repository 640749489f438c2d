/** Page requests of devices, from the IOMMU to whoever handles them for what is attached (IOPF-01 .. IOPF-04). */
import { Refusal } from '../errno.js';
import type { AttachRules } from './attach-history.js';
import { groupOf } from './attach.js';
import type { Device } from './core.js';
import { NO_PASID, type AttachHandle } from './pasid.js';

export interface PageRequest {
  readonly pasid?: number;
  readonly address: bigint;
  readonly write: boolean;
  /** The last of a group of requests: those before wait for it. */
  readonly last: boolean;
}

/** What the device is told. */
export type PageResponse = 'success' | 'invalid' | 'failure';

/** A handle whose owner answers page requests. */
export interface FaultHandling extends AttachHandle {
  /** Takes a whole group of requests. @returns the response, or null when it comes later */
  handleFaults(device: Device, requests: readonly PageRequest[]): PageResponse | null;
}

const handlesFaults = (handle: AttachHandle | null): handle is FaultHandling => handle !== null && 'handleFaults' in handle;

export class PageRequests {
  /** Requests that wait for the last of their group, by device and PASID. */
  private readonly partial = new Map<Device, Map<number, PageRequest[]>>();

  constructor(private readonly log: string[]) {}

  /**
   * `iommu_report_device_fault` (IOPF-01). @returns what the device is told now; null when nothing is yet.
   * @throws Refusal ENODEV without queue (IOPF-02), EINVAL when nobody handles faults there: the device hears "invalid"
   */
  report(device: Device, request: PageRequest): PageResponse | null {
    if (!device.priEnabled) throw new Refusal('ENODEV', 'IOPF-02', `page requests of ${device.name} are off`, [device.subject]);
    const pasid = request.pasid ?? NO_PASID;
    const handle = this.handler(device, pasid);
    const waiting = this.waitingOf(device, pasid);
    waiting.push(request);
    if (!request.last) return null;
    const requests = waiting.splice(0);
    const response = handle.handleFaults(device, requests);
    if (response === 'failure') this.log.push(`iopf with pasid ${pasid} aborted`);
    return response;
  }

  private handler(device: Device, pasid: number): FaultHandling {
    const { pasids } = groupOf(device);
    const attached = pasids.domainOf(pasid) === null ? null : pasids.handleOf(pasid);
    const handle = attached ?? (pasid === NO_PASID ? pasids.requesterHandle : null);
    if (handlesFaults(handle)) return handle;
    throw new Refusal('EINVAL', 'IOPF-01', `nobody handles page requests of ${device.name}${pasid === NO_PASID ? '' : ` with PASID ${pasid}`}: the device is told that the request is invalid`, [device.subject]);
  }

  private waitingOf(device: Device, pasid: number): PageRequest[] {
    let byPasid = this.partial.get(device);
    if (byPasid === undefined) this.partial.set(device, (byPasid = new Map<number, PageRequest[]>()));
    let waiting = byPasid.get(pasid);
    if (waiting === undefined) byPasid.set(pasid, (waiting = []));
    return waiting;
  }
}

/** IOPF-03: a domain whose faults somebody handles, on a device. @throws Refusal ENODEV, EINVAL */
export function checkTakesFaults(rules: AttachRules, device: Device): void {
  if (!rules.faultHandlers) throw new Refusal('EOPNOTSUPP', 'IOPF-03', 'this kernel reports page requests to no user', [device.subject]);
  if (!device.priEnabled) throw new Refusal('ENODEV', 'IOPF-03', `page requests of ${device.name} are off`, [device.subject]);
}
