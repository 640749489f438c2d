/** How results look and what they are called. */
import type { ActionView, PathNodeView, TraceStepView } from '../../server/protocol.js';

export type Tone = 'good' | 'bad' | 'bypass' | 'plain';

/** An expected fault is good; a bypass is shown as such even when it was expected. */
export function toneOf(action: ActionView): Tone {
  if (!action.good) return 'bad';
  return action.bypassedIommu ? 'bypass' : 'good';
}

const VERDICT_TONES: Readonly<Record<string, Tone>> = { fault: 'bad', blocked: 'bad', bypass: 'bypass', done: 'good' };

export const toneOfVerdict = (verdict: string): Tone => VERDICT_TONES[verdict] ?? 'plain';

export const SIGNS: Readonly<Record<Tone, string>> = { good: '✓', bad: '✕', bypass: '⚠', plain: '·' };

/** For ears: the sign of a tone in words. */
export const TONE_WORDS: Readonly<Record<Tone, string>> = { good: 'as it should be', bad: 'failed', bypass: 'past the IOMMU', plain: '' };

export const NODE_WORDS: Readonly<Record<PathNodeView['kind'], string>> = {
  'device': 'device', 'port': 'port', 'root-complex': 'root complex', 'unit': 'IOMMU', 'memory': 'memory', 'peer': 'peer device', 'interrupt': 'interrupt', 'nowhere': 'nowhere',
};

const VERDICT_WORDS: Readonly<Record<string, string>> = { continue: 'goes on', done: 'arrives', redirected: 'is redirected', bypass: 'passes the IOMMU by', fault: 'faults', blocked: 'is blocked', note: '' };

export const verdictWord = (verdict: string): string => VERDICT_WORDS[verdict] ?? verdict;

/** The outcome in two or three words: "memory 0x1000", "IO_PAGE_FAULT", "EINVAL". */
export function outcomeOf({ result, address, fault }: ActionView): string {
  if (fault) return fault.name;
  return address ? `${result} ${address}` : result;
}

/** What a step is, in a word: "read · stage 1", "fault 0x6". */
export function kindOf({ kind, stage, code }: TraceStepView): string {
  if (kind === 'read') return stage ?? 'read';
  if (kind === 'fault') return code ? `fault ${code}` : 'fault';
  return kind;
}
