/** The small host that examples of diagnostics share. */
export function sampleHost(body: string, options: { readonly kernel?: string; readonly iommu?: string } = {}): string {
  const kernel = options.kernel ?? '6.12 cmdline "intel_iommu=on"';
  const iommu = options.iommu ?? 'covers rest';
  return `host h {
  kernel ${kernel}
  memory 0 size 16GiB
  iommu dmar0 : vtd { ${iommu} }
${body.split('\n').map((line) => (line === '' ? '' : `  ${line}`)).join('\n')}
}
`;
}

/** A root port with isolation and one function on it, given by its properties. */
export const onRootPort = (fn: string, acs = 'SV, RR, CR, UF'): string => `root-port rp at 00:01.0 { acs ${acs}\n  ${fn}\n}`;
