/** Numbers of domains at one device: the lowest free one is taken next, as the driver's ID allocator does. */
export class DomainNumbers {
  private readonly used = new Set<number>();
  private next: number;

  /** @param first of the device's `domain_range` */
  constructor(first: number) {
    this.next = first;
  }

  take(): number {
    while (this.used.has(this.next)) this.next++;
    this.used.add(this.next);
    return this.next;
  }

  giveBack(id: number): void {
    this.used.delete(id);
    this.next = Math.min(this.next, id);
  }
}
