/** Arguments of a request, read with care: they come from another program. */
import { RequestError } from './messages.js';

export class Arguments {
  private readonly values: Readonly<Record<string, unknown>>;

  constructor(values: unknown) {
    this.values = typeof values === 'object' && values !== null ? (values as Readonly<Record<string, unknown>>) : {};
  }

  text(name: string): string | undefined {
    const value = this.values[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  }

  number(name: string): number | undefined {
    const value = this.values[name];
    return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
  }

  flag(name: string, otherwise = false): boolean {
    const value = this.values[name];
    return typeof value === 'boolean' ? value : otherwise;
  }

  /** Absent: no arguments. */
  inner(name: string): Arguments {
    return new Arguments(this.values[name]);
  }

  /** Absent: empty. */
  list(name: string): readonly unknown[] {
    const value = this.values[name];
    return Array.isArray(value) ? value : [];
  }

  /** @throws RequestError when it is missing */
  neededText(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw new RequestError(`"${name}" is missing.`);
    return value;
  }

  /** @throws RequestError when it is missing */
  neededNumber(name: string): number {
    const value = this.number(name);
    if (value === undefined) throw new RequestError(`"${name}" is missing or not a whole number.`);
    return value;
  }
}
