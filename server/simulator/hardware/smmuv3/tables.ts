/** Which page tables Linux makes for a unit (LA-P3, LA-P4; PGS-06). */
import type { IommuDescription } from '../../description.js';
import { iova } from '../../memory/address.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { DriverProfile, TableUse } from '../architecture.js';
import { driverPageSizes, type SmmuCapabilities } from './capabilities.js';
import { spanShift, startLevel } from './descriptors.js';
import type { SmmuDriver } from './driver.js';
import { stageOneFormat, stageTwoFormat } from './leaf-format.js';
import { ArmPageTable } from './page-table.js';
import type { ArmTableShape } from './table-tree.js';

/** `dirty`: its leaves have dirty state, which the unit is to set. `process`: it stands for a processor's tables. */
export type StageOneUse = 'mapped' | 'dirty' | 'process';

export class StageOneTable extends ArmPageTable {
  constructor(memory: PhysicalMemory, shape: ArmTableShape, readonly use: StageOneUse) {
    super(memory, shape);
  }
}

export class StageTwoTable extends ArmPageTable {}

/** Fewest bits of address that a table can have: TxSZ is 39 at most. */
const FEWEST_BITS = 25;
/** Stage 2: that many tables of the next level do for the start level instead of another level. */
const CONCATENATED = 16;

export interface TableMaker {
  readonly memory: PhysicalMemory;
  readonly description: IommuDescription;
  readonly hardware: SmmuCapabilities;
  readonly driver: SmmuDriver;
  readonly profile: DriverProfile;
}

/** Stage 1 for everybody but parents of nested tables (LA-D2), who are the only ones that need stage 2 where there is a stage 1. */
export function newTable(maker: TableMaker, use: TableUse): StageOneTable | StageTwoTable {
  return use === 'nest-parent' || !maker.hardware.stageOne ? newStageTwo(maker) : newStageOne(maker, use === 'dirty-tracking' ? 'dirty' : 'mapped');
}

export function newStageOne(maker: TableMaker, use: StageOneUse): StageOneTable {
  const { hardware, description } = maker;
  const granule = hardware.granules[0]!;
  const inputBits = Math.max(hardware.addressWidth, FEWEST_BITS);
  const format = stageOneFormat(description.coherent, use === 'dirty');
  return new StageOneTable(maker.memory, { ...common(maker, hardware.addressWidth), format, granule, inputBits, startLevel: startLevel(granule, inputBits) }, use);
}

/** Its input are the addresses of a guest, as wide as the unit's output. */
function newStageTwo(maker: TableMaker): StageTwoTable {
  const { hardware, description } = maker;
  const granule = hardware.granules[0]!;
  const inputBits = hardware.outputWidth;
  const level = startLevel(granule, inputBits);
  const concatenates = level === 0 && 2 ** (inputBits - spanShift(granule, level)) <= CONCATENATED;
  return new StageTwoTable(maker.memory, { ...common(maker, inputBits), format: stageTwoFormat(description.coherent), granule, inputBits, startLevel: concatenates ? 1 : level });
}

function common({ hardware, description, driver, profile }: TableMaker, width: number) {
  return {
    outputBits: hardware.outputWidth,
    pageSizes: driverPageSizes(description, hardware),
    aperture: { start: iova(0n), last: iova((1n << BigInt(width)) - 1n) },
    splitsLeaves: driver.splitsLeaves,
    log: (line: string) => profile.log?.(line),
  };
}
