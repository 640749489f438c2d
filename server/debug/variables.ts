/** Variables of one stop. References are given out when something is first shown, and stay the same until the next stop. */
import type { Variable } from './messages.js';

/** What is inside of something, asked for when somebody opens it. */
export type Contents = () => readonly Variable[];

export class VariableStore {
  private readonly numbers = new Map<string, number>();
  private readonly contents: Contents[] = [];

  /** @param key identity of what is opened: the same key gets the same number */
  reference(key: string, contents: Contents): number {
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const number = this.contents.push(contents);
    this.numbers.set(key, number);
    return number;
  }

  /** @returns undefined for a number that this stop has not given out */
  open(reference: number): readonly Variable[] | undefined {
    return this.contents[reference - 1]?.();
  }
}

/** A name with a value and nothing inside. */
export const leaf = (name: string, value: string, type?: string): Variable => ({ name, value, variablesReference: 0, ...(type === undefined ? {} : { type }) });
