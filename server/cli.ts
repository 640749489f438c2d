/** The terminal command: the same engine as the editor's. */
import { calls } from './cli/calls.js';
import { check } from './cli/check.js';
import { compareCommand } from './cli/compare.js';
import { EXIT, UsageError, type ExitCode } from './cli/exit-codes.js';
import { explain } from './cli/explain.js';
import { exportCommand } from './cli/export.js';
import { groups } from './cli/groups.js';
import { importCommand } from './cli/import.js';
import { simulateCommand } from './cli/simulate.js';
import { trace } from './cli/trace.js';
import { whatIfCommand } from './cli/what-if.js';

const USAGE = `usage: iommu COMMAND [OPTION ...] FILE ...

  check FILE ...       what would go wrong
  groups FILE ...      the IOMMU groups that the kernel forms       [--why]
  what-if FILE         what would put devices into different        --apart A,B
                       groups, verified, the smallest first
  simulate FILE ...    every call and every DMA, with its result    [--trace]
  trace FILE ...       each DMA step by step                        [--line N]
  compare FILE         one file under two models, side by side      [--models type1@5.13,iommufd@6.19] [--run NAME]
                                                                    [--format svg [--step N]] [--out FILE]
  calls FILE           what the programs of its owners call, as     [--owner NAME]
                       scenarios to change and simulate
  import LSPCI         a .iommu file from "lspci -vvv" (root)       [--groups FILE] [--dmesg FILE] [--cmdline FILE]
                                                                    [--name NAME] [--out FILE [--force]]
  export FILE          settings of an owner that starts             --to cmdline|modprobe|driverctl|qemu|libvirt [--owner NAME]
  explain [CODE]       the page of a diagnostic, or all codes

FILE ...               files, or folders with .iommu files in them
--format text|json     for check, groups, what-if, simulate, trace
ends with 0: clean, 1: findings, 2: bad usage or unreadable input`;

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => ExitCode | Promise<ExitCode>>> = {
  check, compare: compareCommand, groups, calls, simulate: simulateCommand, trace, 'what-if': whatIfCommand, import: importCommand, export: exportCommand, explain,
};

async function main(args: readonly string[]): Promise<ExitCode> {
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    console.log(USAGE);
    return name === undefined ? EXIT.usage : EXIT.clean;
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    console.log(USAGE);
    return EXIT.clean;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw new UsageError(`unknown command "${name}"\n\n${USAGE}`);
  return command(rest);
}

/** Does what the arguments of the process ask for, and sets its exit code. */
export function runCommand(): void {
  // A reader that stops early ("iommu groups x | head") is not an error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT.clean : EXIT.usage));
  main(process.argv.slice(2)).then(
    (code) => { process.exitCode = code; },
    (error: unknown) => {
      process.stderr.write(`iommu: ${error instanceof UsageError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      process.exitCode = EXIT.usage;
    },
  );
}
