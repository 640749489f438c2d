/** The objects of one iommufd context: one number space for all kinds, counted users, destruction (IFD-04, IFD-05, IFD-09, IFD-10). */
import { Refusal } from '../../errno.js';

export type ObjectKind = 'ioas' | 'hwpt' | 'nested-hwpt' | 'device' | 'access' | 'fault-queue' | 'viommu' | 'vdevice' | 'event-queue' | 'hw-queue' | 'selftest';

/** Something that user space names by a number. */
export abstract class IommufdObject {
  abstract readonly kind: ObjectKind;
  /** Valid while the object is in its table. */
  id = 0;
  /** IFD-09: one for existing, one more for everything that rests on it. */
  users = 1;

  /** Undoes what the object did; called once, when nothing rests on it any more. */
  abstract destroy(): void;

  hold(): void {
    this.users++;
  }

  drop(): void {
    this.users--;
  }
}

/** Free numbers below the highest used one, smallest first: a binary heap. */
class FreeIds {
  private readonly heap: number[] = [];
  private next = 1;

  take(): number {
    const least = this.heap[0];
    if (least === undefined) return this.next++;
    const last = this.heap.pop()!;
    if (this.heap.length > 0) this.sink(last);
    return least;
  }

  giveBack(id: number): void {
    let at = this.heap.push(id) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.heap[parent]! <= id) break;
      this.heap[at] = this.heap[parent]!;
      at = parent;
    }
    this.heap[at] = id;
  }

  private sink(id: number): void {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.heap.length) break;
      if (child + 1 < this.heap.length && this.heap[child + 1]! < this.heap[child]!) child++;
      if (this.heap[child]! >= id) break;
      this.heap[at] = this.heap[child]!;
      at = child;
    }
    this.heap[at] = id;
  }
}

type Constructor<T> = abstract new (...parameters: never[]) => T;

export class ObjectTable {
  private readonly objects = new Map<number, IommufdObject>();
  private readonly ids = new FreeIds();

  get size(): number {
    return this.objects.size;
  }

  /** IFD-05: the smallest free number, from 1. */
  add<T extends IommufdObject>(object: T): T {
    object.id = this.ids.take();
    this.objects.set(object.id, object);
    return object;
  }

  all(): Iterable<IommufdObject> {
    return this.objects.values();
  }

  find(id: number): IommufdObject | undefined {
    return this.objects.get(id);
  }

  /** @throws Refusal ENOENT when no object of that class has the number (IFD-04) */
  get<T extends IommufdObject>(id: number, type: Constructor<T>, what: string): T {
    const object = this.objects.get(id);
    if (object instanceof type) return object;
    const why = object === undefined ? `no object has the id ${id}` : `the object ${id} is a ${object.kind}, not ${what}`;
    throw new Refusal('ENOENT', 'IFD-04', why);
  }

  /** Takes the object out and destroys it, whoever uses it: for owners of an object, not for user space. */
  remove(object: IommufdObject): void {
    if (!this.objects.delete(object.id)) return;
    this.ids.giveBack(object.id);
    object.destroy();
  }

  /** IFD-10c: as `remove`, but nobody gets the number again while the iommufd is open. */
  bury(object: IommufdObject): void {
    if (this.objects.delete(object.id)) object.destroy();
  }

  /** IOMMU_DESTROY (IFD-10). @throws Refusal ENOENT, EBUSY */
  destroy(id: number): void {
    const object = this.objects.get(id);
    if (object === undefined) throw new Refusal('ENOENT', 'IFD-10', `no object has the id ${id}`);
    if (object.users > 1) throw new Refusal('EBUSY', 'IFD-10', `the ${object.kind} ${id} is in use ${object.users - 1} times`);
    this.remove(object);
  }

  /** IFD-07: what nothing rests on goes first, until nothing is left. */
  destroyAll(): void {
    for (let before = -1; before !== this.objects.size; ) {
      before = this.objects.size;
      for (const object of [...this.objects.values()].reverse()) if (object.users === 1) this.remove(object);
    }
  }
}
