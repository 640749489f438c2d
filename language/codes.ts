/** Codes of the diagnostics that need no simulation. They are stable: files name them in suppressions. */
import type { Diagnostic } from 'vscode-languageserver-types';

const CODES = {
  'language/syntax': 'The text does not follow the grammar',
  'language/unknown-name': 'Nothing of this name, or of this kind, is described',
  'language/missing-file': 'A file that is used does not exist',
  'language/duplicate-name': 'Two things of one scope have the same name',
  'language/outside-host': 'A statement about a host stands outside of every host',
  'language/too-large': 'A number does not fit 64 bits, or what it counts',
  'language/empty-range': 'A range is empty or ends before it starts',
  'language/overlapping-memory': 'Two ranges of memory overlap',
  'language/circular-constant': 'A constant is defined by itself',
  'language/kernel-version': 'A kernel version does not begin with two numbers',
  'language/unknown-property': 'Such a thing has no property of this name',
  'language/duplicate-property': 'A property is given twice',
  'language/property-value': 'A property does not take this value',
  'language/unknown-word': 'A word that does not belong here',
  'language/pci-address': 'No PCI address: device above 1f, or function above 7',
  'language/duplicate-address': 'Two functions have the same PCI address',
  'language/bus-number': 'Bus numbers that cannot be',
  'language/misplaced-function': 'A function that cannot stand there',
  'language/bar': 'A BAR that cannot be: size, alignment, number',
  'language/sriov': 'Virtual functions that cannot be',
  'language/operand': 'A step lacks an operand, or has one that its call does not take',
  'language/not-open-yet': 'A handle is used before the step that introduces it',
  'language/other-host': 'A device of another host',
  'language/without-effect': 'A property that changes nothing here',
} as const;

export type LanguageCode = keyof typeof CODES;

/** Every code with its one-line title. */
export const LANGUAGE_CODES: ReadonlyMap<string, string> = new Map(Object.entries(CODES));

/** The code of a diagnostic that the language made: its own, or by what part of the parser reported it. */
export function codeOfDiagnostic(diagnostic: Diagnostic): string {
  if (typeof diagnostic.code === 'string' && diagnostic.code !== '') return diagnostic.code;
  const kind = (diagnostic.data as { readonly code?: unknown } | undefined)?.code;
  return kind === 'linking-error' ? 'language/unknown-name' : 'language/syntax';
}
