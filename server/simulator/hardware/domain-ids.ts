/** Numbers of domains at one unit: the lowest free one is taken next (LNX-01). */
export class DomainIds {
  private readonly used = new Set<number>();
  private next: number;

  /** @param first that may be given */
  constructor(private readonly first: number) {
    this.next = first;
  }

  take(): number {
    while (this.used.has(this.next)) this.next++;
    this.used.add(this.next);
    return this.next;
  }

  giveBack(id: number): void {
    this.used.delete(id);
    this.next = Math.min(this.next, Math.max(id, this.first));
  }
}
