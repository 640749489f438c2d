/** Something to do anew when its input has changed: not before the changes have settled, and not while nobody looks. */
export class Settled {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stale = false;

  /** @param quiet milliseconds without a change after which it is done */
  constructor(
    private readonly quiet: number,
    private readonly isVisible: () => boolean,
    private readonly act: () => void,
  ) {}

  /** A burst of changes is one. */
  changed(): void {
    this.#stale = true;
    clearTimeout(this.#timer);
    if (this.isVisible()) this.#timer = setTimeout(() => this.#settle(), this.quiet);
  }

  /** It has come into view, or gone out of it. */
  lookedAt(): void {
    this.#settle();
  }

  /** Now, whatever has changed. */
  now(): void {
    this.dispose();
    this.#stale = false;
    this.act();
  }

  #settle(): void {
    if (this.#stale && this.isVisible()) this.now();
  }

  dispose(): void {
    clearTimeout(this.#timer);
  }
}
