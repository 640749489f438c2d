/** Small files that several tests share. */

/** A desktop whose graphics card cannot be assigned: its audio function still belongs to the host. */
export const NOT_VIABLE = `host desk {
  kernel 6.12 cmdline "intel_iommu=on"
  memory 0 size 32GiB
  iommu dmar0 : vtd { interrupt-remapping  coherent  covers rest }
  root-port slot1 at 00:01.0 { acs SV, RR, CR, UF
    function gpu at 01:00.0 { id 10de:2484  class vga  driver vfio-pci }
    function audio at 01:00.1 { id 10de:228b  class audio  driver snd_hda_intel }
  }
}

vm win11 on desk {
  memory 4GiB
  through iommufd
  assign gpu
}

dma gpu read 0x1000 size 64
`;

/** The same with both functions given away: starts, and the DMA arrives. */
export const VIABLE = NOT_VIABLE.replace('driver snd_hda_intel', 'driver vfio-pci');
