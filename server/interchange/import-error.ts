/** Input that an importer cannot make a host of: what is wrong, and where. */
export class ImportError extends Error {
  override readonly name = 'ImportError';

  constructor(
    message: string,
    /** Which input: "lspci", "groups", "dmesg", "facts". */
    readonly source: string,
    /** 1-based line of that input, when one line is to blame. */
    readonly line?: number,
  ) {
    super(line === undefined ? message : `${message} (${source}, line ${line})`);
  }
}
