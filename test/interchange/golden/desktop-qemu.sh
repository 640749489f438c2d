#!/bin/bash
# win11 on desk: gpu 0000:01:00.0, audio 0000:01:00.1, nic 0000:02:00.0
# -object iommufd wants QEMU 9.0 or newer.
# Processors, disks, network and display are not described; add them.
# The addresses are those of the described host: after adding or moving a card, compare them with lspci -D.
ulimit -l 17825792  # KiB that may be locked
qemu-system-x86_64 -name win11 \
  -machine q35,accel=kvm \
  -m 16G \
  -cpu host,host-phys-bits=on,host-phys-bits-limit=39 \
  -object iommufd,id=iommufd0 \
  -global q35-pcihost.pci-hole64-size=64G \
  -fw_cfg name=opt/ovmf/X-PciMmio64Mb,string=65536 \
  -device pcie-root-port,id=port1,chassis=1,slot=1 \
  -device vfio-pci,host=0000:01:00.0,iommufd=iommufd0,bus=port1,addr=0.0,multifunction=on,romfile=ga104.rom \
  -device vfio-pci,host=0000:01:00.1,iommufd=iommufd0,bus=port1,addr=0.1 \
  -device pcie-root-port,id=port2,chassis=2,slot=2 \
  -device vfio-pci,host=0000:02:00.0,iommufd=iommufd0,bus=port2,addr=0.0
