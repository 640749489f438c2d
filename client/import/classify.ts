/** Tells what a pasted or chosen text is, so that nobody has to name the parts of an import one by one. */
import type { ImportParams } from '../../server/protocol.js';

export type Part = 'lspci' | 'groups' | 'dmesg' | 'commandLine';

const SIGNS: readonly { readonly part: Part; readonly sign: RegExp }[] = [
  { part: 'groups', sign: /\/sys\/kernel\/iommu_groups\/\d+\/devices\/|^\s*IOMMU Group \d+/im },
  { part: 'dmesg', sign: /^(\[\s*\d+\.\d+\]|.*\bkernel: )|^(DMAR|AMD-Vi|iommu): /m },
  { part: 'lspci', sign: /^([\da-f]{4}:)?[\da-f]{2}:[\da-f]{2}\.[0-7] /im },
  { part: 'commandLine', sign: /^(BOOT_IMAGE=|.*\broot=|.*\b(intel_iommu|amd_iommu|iommu)=)/ },
];

/** The part that a text is; null when it looks like none. A file of host facts (JSON) counts as `lspci`. */
export function classify(text: string): Part | null {
  if (/^\s*\{/.test(text)) return 'lspci';
  return SIGNS.find(({ sign }) => sign.test(text))?.part ?? null;
}

export interface Source { readonly name: string; readonly text: string }

/** Puts sources together to one import. The error says, in a sentence, what is missing or too much. */
export function assemble(sources: readonly Source[]): ImportParams | { readonly error: string } {
  const parts = new Map<Part, Source>();
  for (const source of sources) {
    const part = classify(source.text);
    if (!part) return { error: `${source.name} is neither lspci output, nor a listing of IOMMU groups, nor dmesg, nor a kernel command line.` };
    const other = parts.get(part);
    if (other) return { error: `${other.name} and ${source.name} both look like ${WORDS[part]}.` };
    parts.set(part, source);
  }
  const lspci = parts.get('lspci');
  if (!lspci) return { error: 'The output of `lspci -vvv` is missing: take it as root, so that it has the capabilities.' };
  return {
    lspci: lspci.text,
    groups: parts.get('groups')?.text,
    dmesg: parts.get('dmesg')?.text,
    commandLine: parts.get('commandLine')?.text,
  };
}

const WORDS: Readonly<Record<Part, string>> = {
  lspci: 'lspci output',
  groups: 'a listing of IOMMU groups',
  dmesg: 'dmesg',
  commandLine: 'a kernel command line',
};
