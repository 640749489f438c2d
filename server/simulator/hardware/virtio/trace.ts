/** What a trace says about the device's answer. There are no table entries to show: it is the device that knows. */
import type { SubjectId } from '../../description.js';
import { hex } from '../../memory/address.js';
import type { TraceEvent, Verdict } from '../../trace/events.js';
import type { Access } from './device.js';
import { MAP_FLAG } from './protocol.js';

export function accessEvent(access: Exclude<Access, { kind: 'fault' }>, endpoint: number, subject: SubjectId): TraceEvent {
  const [text, verdict, rules] = sentence(access, endpoint);
  return { kind: 'note', floor: 'hardware', subject, text, verdict, rules };
}

/** DOM-28. */
export const waitingEvent = (subject: SubjectId): TraceEvent => ({
  kind: 'note', floor: 'hardware', subject, verdict: 'note', rules: ['DOM-28'],
  text: 'The driver has unmapped the address, but its UNMAP request waits in the queue for the next flush: the device knows nothing of it',
});

function sentence(access: Exclude<Access, { kind: 'fault' }>, endpoint: number): [text: string, verdict: Verdict, rules: readonly string[]] {
  switch (access.kind) {
    case 'doorbell': return [`${hex(access.region.start)} .. ${hex(access.region.last)} is reserved for MSIs in endpoint ${endpoint}'s properties: the address stays as it is`, 'bypass', ['VI-9', 'VI-18']];
    case 'passes': return access.domain === null
      ? [`Endpoint ${endpoint} is attached to no domain, and the device's configuration lets such endpoints bypass it`, 'bypass', ['VI-10']]
      : [`Endpoint ${endpoint} is attached to domain ${access.domain}, a bypass domain: the address stays as it is`, 'bypass', ['VI-9']];
    case 'mapped': return [
      `Endpoint ${endpoint} is attached to domain ${access.domain}, which maps ${hex(access.range.start)} .. ${hex(access.range.last)} to ${hex(access.to)} (${FLAGS[access.flags & (MAP_FLAG.read | MAP_FLAG.write)]})`, 'continue', ['VI-9'],
    ];
  }
}

const FLAGS = ['neither READ nor WRITE', 'READ', 'WRITE', 'READ and WRITE'];
