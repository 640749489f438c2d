/**
 * The event of one table read. A walk makes several and a trace view looks at few of them, so the parts that cost
 * `bigint` arithmetic (address, words, decoded fields, text) are worked out when somebody asks; `toJSON` gives them all.
 */
import type { SubjectId } from '../description.js';
import { addressOf, wordOf } from '../memory/frame.js';
import { hex } from '../memory/address.js';
import type { DecodedField, ReadEvent, Verdict } from '../trace/events.js';

/** One field of a structure; `bit` counts from bit 0 of the first word, as the manuals number wide structures. */
export interface FieldLayout {
  readonly name: string;
  readonly bit: number;
  readonly width: number;
  /** In words, by value; or how to say it. */
  readonly meaning?: Readonly<Record<string, string>> | ((value: bigint) => string);
}

/** A structure in memory, as its manual draws it. */
export interface EntryLayout {
  readonly entry: string;
  readonly stage: ReadEvent['stage'];
  readonly level?: number;
  readonly fields: readonly FieldLayout[];
}

export const flag = (name: string, bit: number, set: string, clear: string): FieldLayout => ({ name, bit, width: 1, meaning: { 0: clear, 1: set } });
/** Bits high:low of word 0 that hold an address of that position. */
export const pointer = (name: string, low: number, high: number): FieldLayout => ({
  name, bit: low, width: high - low + 1, meaning: (value) => `${hex(value << BigInt(low % 64))}`,
});

function decode(field: FieldLayout, words: readonly bigint[]): DecodedField {
  const word = field.bit >> 6;
  const low = field.bit & 63;
  const value = ((words[word] ?? 0n) >> BigInt(low)) & ((1n << BigInt(field.width)) - 1n);
  const range = field.width === 1 ? `${low}` : `${low + field.width - 1}:${low}`;
  const meaning = typeof field.meaning === 'function' ? field.meaning(value) : field.meaning?.[String(value)];
  return { name: field.name, bits: words.length > 1 ? `q${word} ${range}` : range, value, ...(meaning !== undefined && { meaning }) };
}

/** Permissions as the walkers carry them. */
export const READ = 1;
export const WRITE = 2;
/** What a request needs of every entry on its way. */
export const NEEDS = { read: READ, write: WRITE, atomic: READ | WRITE } as const;
export const permissionOf = (bits: number) => PERMISSIONS[bits & (READ | WRITE)]!;
const PERMISSIONS = [0, 1, 2, 3].map((bits) => Object.freeze({ read: (bits & READ) !== 0, write: (bits & WRITE) !== 0 }));

export class EntryRead implements ReadEvent {
  readonly kind = 'read';
  readonly floor = 'hardware';

  /**
   * @param offset byte offset of the entry in its page
   * @param halves what was read, low half first; empty when nothing answered
   * @param note what follows from it, in words
   * @param allowed READ | WRITE accumulated after this entry; undefined where the entry has no say
   */
  constructor(
    readonly subject: SubjectId,
    private readonly layout: EntryLayout,
    private readonly frame: number,
    private readonly offset: number,
    readonly index: number,
    private readonly halves: readonly number[],
    readonly verdict: Verdict,
    private readonly note: string,
    readonly rules: readonly string[],
    private readonly allowed?: number,
  ) {}

  get entry(): string {
    return this.layout.entry;
  }
  get stage(): ReadEvent['stage'] {
    return this.layout.stage;
  }
  get level(): number | undefined {
    return this.layout.level;
  }
  get address(): bigint {
    return addressOf(this.frame, this.offset);
  }
  get permission(): ReadEvent['permission'] {
    return this.allowed === undefined ? undefined : permissionOf(this.allowed);
  }
  get words(): readonly bigint[] {
    const words: bigint[] = [];
    for (let i = 0; i < this.halves.length; i += 2) words.push(wordOf(this.halves[i]!, this.halves[i + 1]!));
    return words;
  }
  get fields(): readonly DecodedField[] {
    const { words } = this;
    return words.length === 0 ? [] : this.layout.fields.map((field) => decode(field, words));
  }
  get text(): string {
    const read = this.halves.length === 0 ? 'cannot be read' : `is ${this.words.map(hex).join(' ')}`;
    return `${this.entry} ${this.index} at ${hex(this.address)} ${read}: ${this.note}`;
  }

  toJSON(): Record<string, unknown> {
    const { kind, floor, subject, entry, stage, level, index, address, words, fields, permission, text, verdict, rules } = this;
    return { kind, floor, subject, entry, stage, level, index, address, words, fields, permission, text, verdict, rules };
  }
}
