/** What all parts of lowering share: identities, places, and reading of values that may be broken. */
import type { AstNode, Reference } from 'langium';
import type { SubjectId } from '../../server/simulator/description.js';
import { ADDRESS_MAX, type AddressRange } from '../../server/simulator/memory/address.js';
import * as ast from '../generated/ast.js';
import { amountOf, virtualFunctionIndex } from '../names.js';
import { PlaceBook } from '../places-of.js';

export class Context {
  readonly book = new PlaceBook();
  private readonly ids = new Map<AstNode, SubjectId>();
  private readonly virtualFunctions = new Map<ast.Sriov, readonly SubjectId[]>();
  private readonly hosts = new Map<SubjectId, SubjectId>();

  /** Gives `node` its identity. */
  name(node: AstNode, wanted: string): SubjectId {
    const id = this.book.add(wanted, node);
    this.ids.set(node, id);
    return id;
  }

  idOf(node: AstNode | undefined): SubjectId | undefined {
    return node === undefined ? undefined : this.ids.get(node);
  }

  /** The identity of a device as `reference` names it: of a virtual function, that of the very one. */
  deviceId(reference: Reference<ast.Named> | undefined): SubjectId | undefined {
    const target = reference?.ref;
    if (ast.isSriov(target)) return this.virtualFunctions.get(target)?.[virtualFunctionIndex(reference!.$refText)];
    return this.idOf(target);
  }

  deviceIds(devices: readonly ast.DeviceRef[]): SubjectId[] {
    return devices.flatMap((device) => this.deviceId(device.device) ?? []);
  }

  setVirtualFunctions(sriov: ast.Sriov, ids: readonly SubjectId[]): void {
    this.virtualFunctions.set(sriov, ids);
  }

  /** Of function `index` that the statement makes; it exists when `index` is below the number of enabled functions. */
  virtualFunctionId(sriov: ast.Sriov, index: number): SubjectId {
    return this.virtualFunctions.get(sriov)![index]!;
  }

  /** Remembers which host a device belongs to. */
  belongs(device: SubjectId, host: SubjectId): void {
    this.hosts.set(device, host);
  }

  hostIdOf(device: SubjectId): SubjectId | undefined {
    return this.hosts.get(device);
  }
}

const fits = (value: bigint): boolean => value <= ADDRESS_MAX;

/** The value of a number that fits 64 bits. */
export function address(amount: ast.Amount | undefined): bigint | undefined {
  const value = amountOf(amount);
  return value !== undefined && fits(value) ? value : undefined;
}

/** A range whose ends are in order and fit 64 bits. @typeParam A the address space that the caller reads it in. */
export function rangeOf<A extends bigint>(range: ast.Range | undefined): AddressRange<A> | undefined {
  const start = amountOf(range?.start);
  const last = range?.size === undefined ? amountOf(range?.last) : lastOf(start, amountOf(range.size));
  if (start === undefined || last === undefined || last < start || !fits(last)) return undefined;
  return { start: start as A, last: last as A };
}

const lastOf = (start: bigint | undefined, size: bigint | undefined): bigint | undefined =>
  start === undefined || size === undefined ? undefined : start + size - 1n;

/** As `rangeOf`, from a start and a size. */
export function span<A extends bigint>(start: ast.Amount | undefined, size: ast.Amount | undefined): AddressRange<A> | undefined {
  const first = amountOf(start);
  const last = lastOf(first, amountOf(size));
  if (first === undefined || last === undefined || last < first || !fits(last)) return undefined;
  return { start: first as A, last: last as A };
}

const texts = new WeakMap<AstNode, string>();

/** The statement in one line: without comments, with single spaces. */
export function textOf(node: AstNode): string {
  const known = texts.get(node);
  if (known !== undefined) return known;
  const text = oneLine(node.$cstNode?.text ?? '');
  texts.set(node, text);
  return text;
}

const oneLine = (text: string): string =>
  text.replace(/("(?:\\.|[^"\\])*")|\/\/[^\n\r]*|\/\*[\s\S]*?\*\/|\s+/g, (_, string: string | undefined) => string ?? ' ').replace(/ {2,}/g, ' ').trim();
