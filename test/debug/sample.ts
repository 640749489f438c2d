/** The file that the debugger's tests step through, and line numbers in it, counted from 1. */
export const SAMPLE = `host desk {
  kernel 6.12 cmdline "intel_iommu=on"
  cpu intel
  memory 0 size 32GiB
  iommu dmar0 : vtd { interrupt-remapping  coherent  covers rest }
  root-port slot1 at 00:01.0 { acs SV, RR, CR, UF
    function nic at 01:00.0 { class ethernet  driver vfio-pci }
  }
}

process dpdk on desk {
  memory 2MiB
  through type1
  assign nic
}

dma nic read 0x1000 size 4 expect fault
never nic reaches memory of host

scenario "maps" on desk kernel 6.6 {
  memory ram size 1MiB backing 4KiB
  // nothing is on this line

  open-iommufd fd
  bind-iommufd nic to fd
  ioas-alloc A in fd
  attach nic to A
  dma nic read 0x10_0000 size 64   expect fault
  map A iova 0x10_0000 size 64KiB from ram rw
  dma nic write 0x10_0000 size 64  expect ok
  map A iova 0x10_0000 size 64KiB from ram rw
  unmap A iova 0x10_0000 size 64KiB
  // the end
}

scenario "other" on desk {
  open-container c
  set-iommu c type1v2 expect ENODEV
}
`;

export const lineOf = (part: string, text = SAMPLE): number => {
  const line = text.split('\n').findIndex((each) => each.includes(part)) + 1;
  if (line === 0) throw new Error(`no line has "${part}"`);
  return line;
};
