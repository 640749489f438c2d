/** Text with places to fill in, offered for the keyword that it begins with. */
export const SNIPPETS: Readonly<Record<string, readonly { readonly label: string; readonly text: string; readonly doc: string }[]>> = {
  host: [{
    label: 'host { … }', doc: 'A host with one graphics card below a root port.',
    text: 'host ${1:desk} {\n  kernel ${2:6.12} cmdline "${3:amd_iommu=on}"\n  memory 0 .. 0x9_ffff, 0x10_0000 .. 0xbfff_ffff, 4GiB size ${4:30GiB}\n  iommu ${5:ivhd0} : ${6|amd-vi,vtd|} { covers rest }\n\n  root-port ${7:slot1} at 00:01.1 {\n    acs SV, RR, CR, UF\n    function ${8:gpu} at 01:00.0 { id ${9:10de:2484}  class vga  driver vfio-pci }\n  }\n}\n$0',
  }],
  vm: [{ label: 'vm { … }', doc: 'A virtual machine that owns a device.', text: 'vm ${1:win11} on ${2:desk} {\n  memory ${3:16GiB}\n  memlock ${4:17GiB}\n  through ${5|iommufd,type1,iommufd-container|}\n  assign ${6:gpu}\n}\n$0' }],
  scenario: [
    { label: 'scenario with type1', doc: 'The calls of a program that uses a VFIO container.', text: 'scenario "${1:name}" on ${2:desk} {\n  memory ram size 1MiB\n  open-container c\n  open-group g of ${3:gpu}\n  set-container g to c      expect ok\n  set-iommu c type1v2       expect ok\n  map c iova 0x10_0000 size 64KiB from ram rw   expect ok\n  dma ${3:gpu} write 0x10_0000 size 64   expect ok\n  $0\n}' },
    { label: 'scenario with iommufd', doc: 'The calls of a program that uses iommufd.', text: 'scenario "${1:name}" on ${2:desk} {\n  memory ram size 1MiB\n  open-iommufd fd\n  bind-iommufd ${3:gpu} to fd   expect ok\n  ioas-alloc A in fd\n  map A iova 0x10_0000 size 64KiB from ram rw   expect ok\n  attach ${3:gpu} to A          expect ok\n  dma ${3:gpu} write 0x10_0000 size 64   expect ok\n  $0\n}' },
  ],
  dma: [{ label: 'dma … expect …', doc: 'A DMA request and what should come of it.', text: 'dma ${1:gpu} ${2|read,write|} ${3:0x1000} size ${4:64} expect ${5|ok,fault,interrupt,blocked|}' }],
  never: [{ label: 'never … reaches memory of …', doc: 'A property: proved, or refuted with a DMA.', text: 'never ${1:gpu} reaches memory of ${2:host}' }],
  group: [{ label: 'group { … }', doc: 'A claim about the groups of the host.', text: 'group ${1:passthrough} { ${2:gpu} }' }],
  'root-port': [{ label: 'root-port { function }', doc: 'A root port with an endpoint.', text: 'root-port ${1:slot1} at ${2:00:01.0} {\n  acs SV, RR, CR, UF\n  function ${3:gpu} at ${4:01:00.0} { class ${5:vga} }\n}' }],
  iommu: [{ label: 'iommu { … }', doc: 'An IOMMU unit.', text: 'iommu ${1:dmar0} : ${2|vtd,amd-vi,smmuv3,riscv,virtio-iommu|} { covers rest }' }],
  domain: [{ label: 'domain { … }', doc: 'A domain with a mapping.', text: 'domain ${1:d} on ${2:desk} : ${3|unmanaged,identity,blocked,dma,dma-fq|} {\n  map iova ${4:0x10_0000} size ${5:64KiB} to ${6:0x4000_0000} rw\n  attach ${7:gpu}\n}' }],
};
