/** The registers of a RISC-V IOMMU that decide what happens to a request (RVI 4.1.1). Writable by whoever plays firmware. */
import { DIRECTORY, type RiscvChoices } from './capabilities.js';
import { frameOfPpn } from './page-entry.js';
import { highHalf, lowHalf } from '../../memory/frame.js';

/** Where memory does not answer as it should. */
export interface MemoryFault {
  readonly first: bigint;
  readonly last: bigint;
  /** `violation`: PMA or PMP allow no access; `corruption`: what is there is poisoned. */
  readonly kind: 'violation' | 'corruption';
}

const FCTL = { bigEndian: 1, gxl: 4 } as const;
const MODE = 0xf;

export class RiscvRegisters {
  /** fctl.BE: device directory, second stage and MSI page table are big-endian. */
  bigEndian = false;
  /** fctl.GXL: second stage of 32-bit guests. */
  gxl = false;
  /** The first that an access touches decides. */
  memoryFaults: readonly MemoryFault[] = [];

  /** ddtp.MODE, one of DIRECTORY. */
  directoryMode: number = DIRECTORY.off;
  /** Frame of the root of the device directory. */
  directory = 0;

  constructor(private readonly choices: RiscvChoices) {}

  set featureControl(value: number) {
    this.bigEndian = (value & FCTL.bigEndian) !== 0;
    this.gxl = (value & FCTL.gxl) !== 0;
  }

  /** A register written by hand, by its name in the register map. */
  write(name: string, value: bigint): void {
    if (name === 'fctl') this.featureControl = lowHalf(value);
    if (name !== 'ddtp') return;
    this.writeDirectoryPointer(0n);
    this.writeDirectoryPointer(value);
  }

  /**
   * A write to ddtp. What is not legal leaves the register as it is (WARL); nobody says what going from one number of levels
   * to another does, so that is not done either.
   */
  writeDirectoryPointer(value: bigint): void {
    const mode = lowHalf(value) & MODE;
    if (mode > this.choices.largestDirectory) return;
    if (mode > DIRECTORY.bare && this.directoryMode > DIRECTORY.bare) return;
    this.directoryMode = mode;
    this.directory = frameOfPpn(lowHalf(value), highHalf(value));
  }
}
