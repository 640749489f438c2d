/** Files of a given length, as people write them: hosts with ports and functions, owners, steps. */

/** About `lines` lines: one host, one VM, scenarios of maps and DMA in proportion. */
export function sampleFile(lines: number): string {
  const ports = Math.max(1, Math.floor(lines / 12));
  const host = Array.from({ length: ports }, (_, index) => port(index));
  const scenarios = Array.from({ length: Math.max(1, Math.floor(lines / 100)) }, (_, index) => scenario(index, 40));
  return [
    'host bench {', '  kernel 6.12 cmdline "intel_iommu=on"', '  memory 0 size 64GiB',
    '  iommu dmar0 : vtd { interrupt-remapping  coherent  page-sizes 4KiB, 2MiB, 1GiB  covers rest }', ...host, '}',
    'vm guest on bench { memory 4GiB  through iommufd  assign dev0 }', ...scenarios,
  ].join('\n');
}

/** Seven lines: a root port with two functions. Buses run over segments of 250. */
function port(index: number): string {
  const segment = Math.floor(index / 250);
  const within = index % 250;
  const bus = (within + 2).toString(16).padStart(2, '0');
  const slot = Math.floor(within / 8).toString(16).padStart(2, '0');
  const at = segment.toString(16).padStart(4, '0');
  return `  root-port rp${index} at ${at}:00:${slot}.${within % 8} { acs SV, RR, CR, UF
    function dev${index} at ${at}:${bus}:00.0 {
      id 8086:1533  class ethernet  driver ${index === 0 ? 'vfio-pci' : 'igb'}
      bar 0 at 0x${(0x80_0000_0000 + index * 0x10_0000).toString(16)} size 64KiB
    }
  }`;
}

function scenario(index: number, steps: number): string {
  const maps = Array.from({ length: steps / 2 }, (_, step) => `  map c iova 0x${(0x10_0000 + step * 0x1000).toString(16)} size 4KiB from ram + 0x${(step * 0x1000).toString(16)} rw`);
  const reads = Array.from({ length: steps / 2 }, (_, step) => `  dma dev0 read 0x${(0x10_0000 + step * 0x1000).toString(16)} size 64 expect ok`);
  return [`scenario "s${index}" on bench {`, '  memory ram size 1MiB', '  open-container c', '  open-group g of dev0', '  set-container g to c', '  set-iommu c type1v2', ...maps, ...reads, '}'].join('\n');
}

/** A host of so many functions, one a line: root ports with seven functions each. The driver of function `0` is as asked. */
export function hostFile(functions: number, driver: string): string {
  const lines: string[] = [];
  for (let port = 0; lines.length < functions; port++) {
    const at = Math.floor(port / 200).toString(16).padStart(4, '0');
    const within = port % 200;
    lines.push(`  root-port rp${port} at ${at}:00:${(within >> 3).toString(16).padStart(2, '0')}.${within & 7} { ${port % 3 === 0 ? 'acs none' : 'acs SV, RR, CR, UF'}`);
    for (let fn = 0; fn < 7; fn++) lines.push(`    function f${port}x${fn} at ${at}:${(within + 2).toString(16).padStart(2, '0')}:00.${fn} { id 8086:1533  class ethernet  driver ${port + fn === 0 ? driver : 'igb'} }`);
    lines.push('  }');
  }
  return ['host large {', '  kernel 6.12 cmdline "intel_iommu=on"', '  iommu dmar0 : vtd { covers rest }', ...lines, '}'].join('\n');
}

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
