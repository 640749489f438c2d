/**
 * What a device does that asked for a translation and got none: with page requests (PRI) it asks for the page, the kernel hands the request
 * to whoever handles faults of what is attached (IOPF-01), and after a success the device asks for the translation again.
 */
import { Refusal } from '../errno.js';
import type { UnitAnswer, UnitRequest } from '../hardware/architecture.js';
import type { Device } from '../kernel/core.js';
import type { PageRequests, PageResponse } from '../kernel/io-page-faults.js';
import { hex, PAGE_SIZE } from '../memory/address.js';
import type { TraceSink } from '../trace/events.js';

type Translation = Extract<UnitAnswer, { kind: 'address' }>;

/** A translation completion without the permission that the device wants is none to it (VTD-60). */
export const permits = ({ read, write }: Pick<Translation, 'read' | 'write'>, access: UnitRequest['access']): boolean =>
  (access === 'write' || read) && (access === 'read' || write);

/** What the device hears; null when whoever has its request answers later. */
const HEARD: Readonly<Record<PageResponse, string>> = {
  success: 'the page is there now, and it asks for the translation again',
  invalid: 'that its request is invalid: it gives the access up',
  failure: 'that its request has failed: it gives the access up and sends no further page requests',
};

/** @returns whether it is worth asking for the translation again */
export function requestPage(pageRequests: PageRequests, device: Device, request: UnitRequest, trace: TraceSink | null): boolean {
  const page = request.address & ~(PAGE_SIZE - 1n);
  const at = `${hex(page)}${request.pasid === undefined ? '' : ` with PASID ${request.pasid}`}`;
  const say = (text: string, verdict: 'continue' | 'blocked', rules: readonly string[]): void =>
    trace?.push({ kind: 'hop', floor: 'kernel', at: verdict === 'blocked' ? 'nowhere' : 'device', subject: device.subject, text, verdict, rules, address: page });
  if (!device.priEnabled) {
    say(`${device.name} gets no translation for ${at} and, its page requests (PRI) being off, can ask nobody for the page`, 'blocked', ['IOPF-02']);
    return false;
  }
  say(`${device.name} gets no translation and sends a page request for ${at}: it goes to iommu_report_device_fault()`, 'continue', ['IOPF-01']);
  const response = responseTo(pageRequests, device, { pasid: request.pasid, address: page, write: request.access !== 'read', last: true }, say);
  if (response === null) say('Whoever handles faults there has the request and has not answered yet: the device waits', 'blocked', ['IOPF-01']);
  else say(`${device.name} is told ${HEARD[response]}`, response === 'success' ? 'continue' : 'blocked', ['IOPF-01']);
  return response === 'success';
}

function responseTo(pageRequests: PageRequests, device: Device, request: Parameters<PageRequests['report']>[1], say: (text: string, verdict: 'continue', rules: readonly string[]) => void): PageResponse | null {
  try {
    return pageRequests.report(device, request);
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    say(`${refusal.errno}: ${refusal.reason}`, 'continue', [refusal.rule]);
    return 'invalid';
  }
}
